# ruff: noqa: RUF001 - characters that look like others are the point
"""Texts that somebody could send to do harm, or that merely look strange."""

HOSTILE: tuple[str, ...] = (
    # options
    "-x", "--", "-", "--help", "--root=/tmp", "--prefix", "-R/tmp", "-o", "--uid=0", "-u0", "-rf", "--badname", "-D",
    "--password=x", "-G root", "–x", "-\n",
    "--root", "--root=", "--prefix=/tmp", "--prefix=", "-P", "-P/tmp", "-R", "-R/nowhere", "--skel=/root", "--roo=/tmp",
    # shells
    "$(touch pwned)", "`touch pwned`", "a;b", "a;touch pwned", "a|b", "a&b", "a&&b", "a||b", "a>pwned", "a<b", "$HOME",
    "${HOME}", "$((1+1))", "*", "?", "[a-z]", "~", "~root", "a'b", 'a"b', "'", '"', "a\\b", "\\", "!x", "#x", "a b",
    " a", "a ", "a\tb", "{a,b}", "%s", "%n", "$IFS", "=a", "(a)", "<!--", "a\\nb",
    # the files' own characters
    ":", "a:b", "a:x:0:0::/:/bin/sh", "root:x:0:0:", "::::::", ",", "a,b", "root,a", "+", "+a", "+::::::", "-a:x",
    # lines and controls
    "\n", "a\nb", "a\nevil:x:0:0::/:/bin/sh", "a\r\nb", "\r", "\x00", "a\x00b", "\x01", "\x1b[31m", "\x7f", "\x85",
    "\u2028", "\u2029", "\u202eabc", "\ufeff", "\x0b", "\x0c", "a\x08",
    # paths
    ".", "..", "/", "//", "../x", "../../etc/passwd", "/etc/passwd", "./a", "a/b", "a/../b", "/..", "..\\x",
    "/dev/null", "/proc/self/root", "/tmp/../etc", "C:\\x",
    # numbers and words of other languages
    "0", "1", "00", "1234", "-1", "4294967295", "1e5", "0x0", "null", "None", "true", "{{ 7*7 }}", "{% x %}", "${7*7}",
    "' OR 1=1 --",
    # Unicode
    "é", "Ümlaut", "日本", "аlice", "alice\u200b", "ＡＢ", "𝔸", "e\u0301", "\u00a0", "١٢٣", "🙂", "ß", "İ", "a\u00adb",
    "\ud800",
    # lengths
    "", "a" * 33, "a" * 300, "a" * 5000, "é" * 300, "/" * 5000, ":" * 300, "/" + "a" * 300, "a " * 600,
    # names of others
    "root", "daemon", "nobody", "lister",
)  # fmt: skip

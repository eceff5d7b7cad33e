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

_CODES = (
    "touch pwned", ">pwned", "echo>pwned", ": > pwned", "touch${IFS}pwned", "touch\tpwned", "{touch,pwned}",
    "t''ouch pwned", "$'touch' pwned", "/bin/touch pwned", "eval touch pwned", "exec touch pwned",
    "command touch pwned", "env touch pwned", "nohup touch pwned", "sh -c 'touch pwned'", 'sh -c "touch pwned"',
    "cp empty pwned", "tee pwned", "dd of=pwned", "ln empty pwned", "xargs touch pwned", "true;touch pwned",
    "mkdir pwned", "trap 'touch pwned' EXIT",
)  # fmt: skip
"""Scripts, each of which makes the file `pwned` where it is run as one."""
_ENCLOSED = (
    # substitutions, ends of commands and lines
    "$({})", "`{}`", ";{};", "; {} #", "| {}", "|| {}", "&& {}", "& {} &", "\n{}\n", "\r\n{}\r\n", "x\n{}", "({})",
    # ends of quotes
    "'; {}; '", '"; {}; "', "';{} #", '";{} #', "$'\\n{}'", "\\'; {}; \\'", "'\"'\"; {}; '", "}}; {}; {{", ") ; {} ; (",
    # where some shells look for code in a name or a value
    "a[$({})]", "x=$({})", "${{x:-$({})}}", "$(({}))", "<({})", "<<E\n$({})\nE", "E\n{}\n", "{}", "${{AMIE_1}}; {}",
    "() {{ :; }}; {}",
    # other languages
    "{{{{ '{}' }}}}", "{{% {} %}}", "!{}", "#\n{}", "\\\n{}", "--x=$({})",
)  # fmt: skip
ATTACKS: tuple[str, ...] = tuple(enclosed.format(code) for code in _CODES for enclosed in _ENCLOSED)
"""Each would make the file `pwned` in the working folder if a shell saw it in the wrong place."""

_RUNNING_OPTIONS = (
    "-c", "-e", "-exec ", "--exec=", "--to-command=", "--checkpoint-action=exec=", "--use-compress-program=", "--rsh=",
    "-oProxyCommand=", "--init-file=", "-Xfoo=", "--config=",
)  # fmt: skip
OPTIONS: tuple[str, ...] = (
    *(text for text in HOSTILE if text.startswith("-")),
    *(option + code for option in _RUNNING_OPTIONS for code in _CODES),
)
"""Texts that programs take for options; among them options by which some programs run others."""

VALUES: tuple[str, ...] = tuple(
    text for text in dict.fromkeys((*HOSTILE, *ATTACKS, *OPTIONS)) if "\0" not in text and text != "\ud800"
)
"""All of them that a program can be given."""

# ruff: noqa: RUF001 - characters that look like others are the point
"""Texts that somebody could send to do harm, or that merely look strange."""

from collections.abc import Mapping
from itertools import chain

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

FOREIGN: Mapping[str, tuple[str, ...]] = {
    "directory": (
        "*)(uid=*", "*)(|(uid=*)", "x)(userPassword=*", "(objectClass=*)", ")(&", "\\2a", "\\00", "a\\2cb", "a\\,b",
        "cn=admin,dc=example,dc=org", "lister,ou=people,dc=example,dc=org", "x,ou=groups", "x+uidNumber=0", "uid=x",
        "#04024869", 'a"b,c', "a;b=c", "<>", "dn: cn=x\nchangetype: delete", "x\n-\ndelete: uid", "{SSHA}x", ":: eA==",
    ),
    "database": (
        "'; drop table amierules_person; --", "' or ''='", '" or 1=1 --', "x'); delete from packet_tbl; --", "%", "_",
        "$$; drop table packet_tbl; $$", "\\'; drop table packet_tbl; --", "%(x)s", ":x", "1; select pg_sleep(60)",
        "E'\\x27'", "copy packet_tbl to '/tmp/pwned'", "'; copy packet_tbl to program 'touch pwned'; --", "/*", "*/",
        "U&'\\0027'", "pg_read_file('/etc/passwd')", "attach database 'pwned' as x", "load_extension('x')",
    ),
    "template": (
        "{{ cycler.__init__.__globals__.os.popen('touch pwned').read() }}", "{{ ''.__class__.__mro__[1] }}", "{%", "#}",
        "{% include '/etc/passwd' %}", "{% import 'os' as os %}", "{{ secret.slack }}", "{{ site }}", "{# x #}", "}}",
        "{{ 1/0 }}", "{% for x in range(999999999) %}x{% endfor %}", "{{ person }}", "<%= x %>", "#{x}",
        "{0.__class__}",
        "!!python/object/apply:os.system ['touch pwned']", "&a [*a]", "{% raw %}", "{{ raise('x') }}",
    ),
    "passwd": (
        "a,b,c,d,umask=777", "x:/root:/bin/sh", "x:0:0:root:/root:/bin/bash\ny", "&", "!!", "$6$salt$hash", "a\x1fb",
        "slash=/x,home=/", "x\n+::::::", "x\n+@netgroup", "a,,,,gid=0",
    ),
    "grid-mapfile": (
        '"/CN=x" root', '/CN=x" root\n"/CN=y', '/CN=x\\" root', "/CN=x\\", "/CN=x\\x22 root", "/CN=x # y", "#/CN=x",
        "/CN=x root,lister", '""', "/CN=x\r\n/CN=y root", "/CN=\\x", "/CN=x\troot", "/CN=someone else",
    ),
    "Slack": (
        "<!channel>", "<!here|x>", "<@U024BE7LH>", "<#C024BE7LR>", "<!subteam^SAZ94GDB8>", "&lt;!channel&gt;",
        "&amp;lt;",
        "<https://evil.example|click>", "https://evil.example/x", "<mailto:x@evil.example|x>", "*bold*", "`code`",
        "<!date^1392734382^{date}^https://evil.example|x>", "_it_", "```\ncode", "> quoted", ":tada:", "@channel",
        '", "channel": "#general', "\\u003c!channel>", "</script>",
    ),
    "mail": (
        "x\r\nBcc: x@evil.example", "x\nSubject: y", "x\n\nbody", "\n.\n", "\r\n.\r\nMAIL FROM:<x@evil.example>",
        "=?utf-8?q?=0ABcc:_x@evil.example?=", "x@evil.example", "Bo <x@evil.example>", "a@b.c, d@evil.example",
        "From x",
        "Content-Type: text/html", "--boundary", "x\rBcc: x@evil.example",
    ),
    "terminal": (
        "\x1b[2J", "\x1b[H", "\x1b]0;pwned\x07", "\x1b]52;c;cHduZWQ=\x07", "\x1b]8;;http://evil.example\x1b\\x",
        "\x1b[6n", "\x1b[c", "\x1bP$q\x1b\\", "\x1b[?1049h", "\x1b[8m", "\x9b31m", "\x90x\x9c", "\x9d0;x\x9c", "\x1b(0",
        "\x1bc", "\x07", "\x08\x08\x08", "\rdone", "a\x1b[1A\x1b[2K", "\x1b]1337;File=:\x07", "\x1b#8", "\x84",
        "\u2066x\u2069", "\u202dx", "\u200f", "\U000e0041", "\ufff9", "\x0e", "\x1b_x\x1b\\", "\x1b^x\x1b\\",
        "\x1b[>4;1m", "\x1b[200~x\x1b[201~", "\x1b[31mdone   1 request_account_create\x1b[0m", "\x1b", "x\x1b[",
        "[bold red]x[/]", "[link=http://evil.example]x[/link]", "[/]", "[red]", ":warning:", "[@click=app.quit]x[/]",
    ),
    "log": (
        "x\npacket=1 status=done", 'x" status=done y="', 'x\\" status=done', "x status=done", "x\u2028packet=1",
        "x\r\npacket=1 status=done", 'x\\', "status=done", "%s%n%d",
    ),
}  # fmt: skip
"""Texts that mean something to those whom a packet's values are passed on to."""

VALUES: tuple[str, ...] = tuple(
    text
    for text in dict.fromkeys((*HOSTILE, *ATTACKS, *OPTIONS, *chain.from_iterable(FOREIGN.values())))
    if "\0" not in text and text != "\ud800"
)
"""All of them that a program can be given."""

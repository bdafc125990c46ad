"""
What a secret looks like: well-known tokens, private keys, values under a telling name.

The shapes are those that their issuers document. Linear by construction: no
pattern repeats without a bound, none nests repeats that could match the same
text in two ways, and each begins with something that is rare.
"""

from __future__ import annotations

import binascii
import operator
import re
from collections.abc import Iterator, Sequence

from telltale.patterns import pattern

HIDDEN = "[redacted]"
LONGEST = 4096
"""Bytes of one token or value; a private key may have 16 KiB."""

_HIDDEN = HIDDEN.encode()
_KEY_SIZE = 16 * 1024
_PIECE = 8 * 1024
"""Bytes that are looked at together: one suspicious line costs the patterns' time for so much."""


_TOKEN = pattern(
    rb"""(?<![A-Za-z0-9_])(?:
      gh[pour]_[A-Za-z0-9]{20,255}                            # GitHub
    | ghs_[A-Za-z0-9][A-Za-z0-9._-]{19,4096}
    | github_pat_[A-Za-z0-9_]{20,255}
    | gl(?:pat|oas|dt|rt|cbt|ptt|ft|soat|agent|imt|ffct)-[A-Za-z0-9_.-]{16,255}  # GitLab
    | GR1348941[A-Za-z0-9_-]{20,64}
    | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])      # AWS
    | AIza[A-Za-z0-9_-]{30,255}                               # Google
    | ya29\.[A-Za-z0-9_-]{20,2048}
    | GOCSPX-[A-Za-z0-9_-]{20,255}
    | (?:hf|api_org)_[A-Za-z0-9]{20,255}                      # Hugging Face
    | sk-[A-Za-z0-9_-]{20,512}                                # OpenAI, Anthropic
    | (?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9+/=]{16,512}    # Stripe
    | wandb_v1_[A-Za-z0-9_]{20,255}                           # Weights & Biases
    | xox[abeoprs]-[A-Za-z0-9-]{10,512}                       # Slack
    | xapp-[A-Za-z0-9-]{20,512}
    | npm_[A-Za-z0-9]{30,255}
    | pypi-[A-Za-z0-9_-]{30,2048}
    | dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,255}                  # Docker
    | do[opr]_v1_[a-f0-9]{40,255}                             # DigitalOcean
    | dapi[a-f0-9]{32}(?:-\d)?(?![A-Za-z0-9])                 # Databricks
    | shp(?:at|ca|pa|ss|tka)_[A-Fa-f0-9]{32,64}               # Shopify
    | sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,64} | EAAA[A-Za-z0-9_-]{60}(?![A-Za-z0-9_+/-])    # Square
    | (?<!-)key-[a-f0-9]{32}(?![A-Za-z0-9-])                  # Mailgun
    | PMAK-[a-f0-9]{24}-[a-f0-9]{34}                          # Postman
    | dp\.(?:pt|st|ct|sa|said|scim|audit)\.[A-Za-z0-9._-]{30,255}     # Doppler
    | (?:ops_eyJ|eyJhcGlf)[A-Za-z0-9+/=_-]{40,4096}           # 1Password, Neptune
    | f(?:o1|m1[ar]?|m2)_[A-Za-z0-9+/=,_-]{30,4096}           # Fly
    | r8_[A-Za-z0-9]{30,64} | lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{8,16}    # Replicate, LangSmith
    | pcsk_[A-Za-z0-9_]{30,255} | nvapi-[A-Za-z0-9_-]{30,255} # Pinecone, NVIDIA
    | KGAT_[a-f0-9]{32} | sntry[su]_[A-Za-z0-9+/=_-]{40,1024} # Kaggle, Sentry
    | [aw][ks]-(?=[a-z]{0,21}[A-Z0-9])[A-Za-z0-9]{22}(?![A-Za-z0-9_-]) # Modal
    | ntn_[A-Za-z0-9]{40,64} | secret_[A-Za-z0-9]{43}(?![A-Za-z0-9_])       # Notion
    | sb_secret_[A-Za-z0-9_-]{20,64} | pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{30,64}
    | pul-[a-f0-9]{40} | cio[A-Za-z0-9]{32}(?![A-Za-z0-9_]) | xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}
    | (?:bkua|sgp|nfp|rpa|sq[apu])_[A-Za-z0-9_]{32,255}       # Buildkite to SonarQube
    | NR(?:JS|II)-[A-Za-z0-9_-]{19,64}
    | HRKU-[A-Za-z0-9_-]{30,255}                              # Heroku
    | SK[0-9a-f]{32}(?![A-Za-z0-9])                           # Twilio
    | SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,255}         # SendGrid
    | AGE-SECRET-KEY-1[A-Z0-9]{50,80}                         # age
    | hv[sbr]\.[A-Za-z0-9_-]{20,512}                          # Vault
    | gsk_[A-Za-z0-9]{40,255} | pplx-[A-Za-z0-9]{40,255} | xai-[A-Za-z0-9]{40,255}
    | lin_api_[A-Za-z0-9]{30,255} | rubygems_[a-f0-9]{40,64} | sbp_[a-f0-9]{40,64}
    | gl(?:sa|c)_[A-Za-z0-9_=+/]{30,512} | figd_[A-Za-z0-9_-]{30,255}   # Grafana, Figma
    | NRAK-[A-Z0-9]{20,64} | tskey-[A-Za-z0-9-]{20,255} | ATATT[A-Za-z0-9_=-]{40,512}
    | eyJ[A-Za-z0-9_-]{14,4096}(?:\.{1,3}[A-Za-z0-9_-]{1,4096}){1,4}    # JWT, shortened ones too
    | (?:gh[pousr]_|github_pat_|glpat-|[sr]k_live_|sk-|hf_|npm_|pypi-|dckr_|xox[a-z]-|AKIA|ASIA|AIza
      |ya29\.|SG\.|dapi|dop_v1_|hvs\.|eyJ)[A-Za-z0-9_-]{4,200}(?=\.\.\.)   # shortened by pytest
    | LS0tLS1CRUdJTiB(?!DRVJUSUZJ)[A-Za-z0-9+/=]{40,4096}     # a PEM in base64, no certificate
    )""",
    re.VERBOSE,
)
_HEADS = frozenset(
    # The first three bytes, up to the first `-` or `.`, of everything above.
    b"""ghp gho ghu ghs ghr git glp glo gld glr glc glf gls gla AKI ASI ABI ACC AIz ya2 GOC hf_ api
    sk sk_ rk_ whs wan xox xap npm pyp dck dop doo dor dap HRK SG AGE hvs hvb hvr gsk ppl xai lin
    rub sbp fig NRA tsk ATA eyJ LS0 SK0 SK1 SK2 SK3 SK4 SK5 SK6 SK7 SK8 SK9 SKa SKb SKc SKd SKe
    SKf GR1 shp sq0 EAA key PMA dp ops fo1 fm1 fm2 r8_ lsv pcs nva KGA snt ak as wk ws ntn sec sb_
    psc pul cio xke bku sgp nfp rpa sqa sqp squ NRJ NRI""".split()
)
_SHORTEST = 15
"""Bytes of the shortest token, `xoxb-` and ten more."""
_IN_TOKEN = bytes(
    ord("x") if (chr(byte).isalnum() and byte < 128) or byte in b"_-." else ord(" ")
    for byte in range(256)
)
_IN_PART = bytes(
    byte if seen == ord("x") and byte not in b"-." else ord(" ")
    for byte, seen in enumerate(_IN_TOKEN)
)
_RUN = b"x" * _SHORTEST
_DASH = bytes.maketrans(b"-", b".")
_head = operator.itemgetter(slice(3))

_TELEGRAM = pattern(rb"(?<=\d):AA[A-Za-z0-9_-]{32,35}(?![A-Za-z0-9_-])")
_INNER = (
    # Tokens that are known by something within them.
    (b".atlasv1.", pattern(rb"[A-Za-z0-9]{10,20}\.atlasv1\.[A-Za-z0-9_=-]{40,255}")),  # Terraform
    (
        b"Q~",  # Microsoft Entra
        pattern(rb"(?<![\w.~-])[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}(?![\w~-])"),
    ),
    (b"JQQJ99", pattern(rb"[A-Za-z0-9]{40,60}JQQJ99[A-Za-z0-9]{20,40}")),  # Azure
)
_HOOK = pattern(
    rb"hooks\.slack\.com/[^\s\"'<>\\]{1,512}"
    rb"|discord(?:app)?\.com/api/webhooks/[^\s\"'<>\\]{1,512}"
    rb"|webhook\.office\.com/[^\s\"'<>\\]{1,512}"
)
_USERINFO = pattern(rb"://[^\s/?#\"'<>\\`]{1,512}@")
_BEARER = pattern(rb"(earer[ \t]{1,4})[A-Za-z0-9._~+/=-]{16,4096}")
_BASIC = pattern(rb"(asic[ \t]{1,4})([A-Za-z0-9+/]{8,4096}={0,2})")
_NETRC = pattern(rb"((?:assword|account)[ \t]{1,8})(\S{1,512})(?=[ \t\r]{0,8}$)", re.MULTILINE)
_LOGIN = pattern(rb"(login[ \t]{1,8}\S{1,200}[ \t]{1,8}(?:password|account)[ \t]{1,8})(\S{1,512})")
_SPACED = pattern(
    rb"([ \t]--?(?i:[a-z]{1,20}-){0,3}(?i:token|secret|password|passwd|passphrase|pass"
    rb"|api-?key|access-?key|secret-?key|private-?key|credentials?)[ \t]{1,4})"
    rb"(\"[^\"\n]{1,512}\"|'[^'\n]{1,512}'"
    # The next option is none; a secret may begin with `-` all the same.
    rb"|(?!--?[a-z][a-z_-]{0,40}(?:[=\s\"']|\Z)|-[A-Za-z]\w{0,5}(?!\S))[^\s\"'][^\s\"']{0,512})"
)
_ARGUMENT = pattern(
    rb"((?:mysql|maria)\w{0,10}[ \t](?:[^\n|;&]{0,100}?[ \t])?-p|sshpass[ \t]{1,4}-p[ \t]{0,4}"
    rb"|curl[ \t](?:[^\n|;&]{0,100}?[ \t])?(?:-u|--user)[ \t=]{0,4}[^\s:\"']{0,100}:)"
    rb"([^\s\"'-][^\s\"']{0,512})"
)
_PROGRAMS = (b"curl ", b"mysql", b"maria", b"sshpass")

# A name that speaks of a secret, what stands between, and a value.
_SEPARATOR = pattern(rb"[=:]")
_NAMES = tuple(
    # Without `_` and `-`, in lower case: how a name that speaks of a secret ends.
    b"""token secret password passwd passphrase apikey accesskey secretkey privatekey signingkey
    encryptionkey accountkey clientkey clientkeydata sshkey deploykey masterkey sharedkey authkey
    fastlykey subscriptionkey functionskey servicekey licensekey storagekey hostkey credential credentials authorization cookie sessionid
    webhook webhookurl connectionstring xamzsignature xamzcredential""".split()
)
_BOUNDED_NAME = pattern(
    # These are parts of innocent words: `compass=`, `Ran 3 tests, 2 PASS: ...`.
    rb"(?:(?i:[_-](?:pwd|pat|dsn)|(?<![a-z])dsn)|(?P<assigned>(?i:(?<![a-z])(?:pass|_?auth))|[?&]sig"
    rb"|(?:(?<![A-Za-z0-9-])|_)KEY))\Z"
)
_ENDS = frozenset({name[-3:] for name in _NAMES} | {b"pwd", b"pat", b"dsn", b"ass", b"uth", b"sig"})
_COMMON_ENDS = frozenset({b"ase", b"ion", b"ing", b"ure", b"ata", b"ial", b"als", b"url"})
"""Ordinary names end so too (`phase`, `version`): these are looked for in more of their letters."""
_RARE_ENDS = _ENDS - _COMMON_ENDS
_LONG_ENDS = (
    *(b"phrase=", b"rization=", b"nstring=", b"zsignature=", b"keydata=", b"ential=", b"entials="),
    b"hookurl=",
)
_INFIX = pattern(rb"(?:TOKEN|SECRET|PASSWORD)_[A-Z0-9_]{1,32}\Z")
_INFIXES = (b"TOKEN_", b"SECRET_", b"PASSWORD_")
_NAME_SIZE = 64
_AROUND = b" \t\"'\\"
_TO_THE_END = (b"authorization", b"cookie")
"""Headers: the whole line is the value, as in `Bearer ...` and `a=b; c=d`."""
_VALUE = pattern(
    rb"""(?P<between>
        (?:=>|={1,3}|:(?!:)=?)(?:[ ]?(?:str|bytes|string)[ ]=)?[ \t]{0,3}
        (?:[bfru]{1,2}(?=\\?["']))?)
    (?P<value>
        \\"(?:[^"\\\n]|\\[^"\n]){0,4096}\\"
      | "(?:[^"\\\n]|\\[^\n]){0,4096}"
      | \\?'(?:[^'\\\n]|\\[^'\n]){0,4096}\\?'
      | [^\s,;&|"'<>()\[\]{}\\`][^\s,;&|"'<>\\`]{0,1023}
    )""",
    re.VERBOSE,
)
_QUOTED = pattern(rb"={2,3}[ \t]{0,3}[bfru]{0,2}\\?[\"']")
_HEADER = pattern(
    rb"(?P<between>[:=][ \t]{0,3}(?:[bu](?=[\"'])|\\(?=[\"']))?)(?P<value>[\"']?[^\n\"'\\]{4,4096})"
)
_LOWER = bytes.maketrans(bytes(range(65, 91)), bytes(range(97, 123)))
_SQUEEZED = bytes.maketrans(bytes(range(65, 91)) + b":", bytes(range(97, 123)) + b"=")
_SQUEEZED_OUT = _AROUND + b"_-"
_end = operator.itemgetter(slice(-3, None))
_PLAIN_VALUE = pattern(
    # Numbers, constants, types; variables and places for a text.
    rb"-?\d{1,5}(?:\.\d{1,20})?%?[.:]?|(?i:none|null|true|false|nil|undefined|str|int|bytes|string|bool|float|\*{3,64}|\.{2,4})[.:]?"
    # What begins with `%` may be percent-encoded: only a place for a text, and `%NAME%`, are code.
    rb"|\$[{(].{0,4096}|\$(?:[A-Za-z_]\w{0,64}|\d)(?!\w).{0,200}"
    rb"|%\(\w{1,64}\).{0,200}|(?:%[sdirvxf][^\w%]{0,8}){1,8}|%[A-Z_][A-Z0-9_]{0,64}%(?:[\\/].{0,200})?",
    re.DOTALL,
)
_CALL = pattern(rb"[A-Za-z_][\w.]{0,200}[(\[].{0,4096}", re.DOTALL)
"""Code that says where a value comes from; in quotes it is none."""
_OPENING = pattern(rb"[(\[{]")
_PLAIN_WORD = pattern(rb"[A-Za-z_]{1,64}(?:\.[A-Za-z_]{1,64}){0,8}[.:!?]?")

_KEY_BEGIN = pattern(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END = pattern(rb"-----END [A-Z0-9 ]{0,60}-----")
_KEY_LINE = pattern(
    rb"[^\n]{0,80}?[A-Za-z0-9+/]{40,400}={0,2}[\\n\"', \t\r]{0,8}\n?"
    rb"|(?:E[ \t]|[ \t>|'\"+#-]){0,40}(?:[A-Za-z0-9+/=]{1,400}|[A-Za-z-]{3,30}: [^\n]{1,200})?"
    rb"[\\n\"', \t\r]{0,8}\n?"
)


def hide(data: bytes) -> bytes:
    """Return the bytes without tokens, secrets in URLs and headers, and values of telling names."""
    if len(data) <= _PIECE:
        return _hide(data)
    return b"".join(map(_hide, _pieces(data)))


def hide_tokens(data: bytes) -> bytes:
    """Return the bytes without tokens; nothing else is touched."""
    return _hide_tokens(data)


def hide_keys(data: bytes, *, inside: bool) -> tuple[bytes, bool]:
    """
    Return the bytes without private keys, and whether the last one goes on.

    `inside` says that the bytes begin within one. A key that never ends is
    over with the first line that cannot be part of one.
    """
    if not inside and b"-----BEGIN" not in data:
        return data, False
    kept: list[bytes] = []
    at = 0
    if inside:
        at, inside = _key_end(data, 0)
    while not inside and (begin := _KEY_BEGIN.search(data, at)):
        kept += (data[at : begin.start()], _HIDDEN)
        at, inside = _key_end(data, begin.end())
    kept.append(data[at:])
    return b"".join(kept), inside


def hide_arguments(words: Sequence[str]) -> Iterator[str]:
    """Yield the words of a command line; hidden is what `mysql -pX` and `curl -u a:X` say."""
    before = ""
    for word in words:
        line = f"{before}{word}".encode("utf-8", "surrogatepass")
        found = [
            m
            for m in _ARGUMENT.finditer(line)
            if m.end() == len(line) or "\n" in word or " " in word
        ]
        for match in reversed(found):
            line = line[: match.start(2)] + _HIDDEN + line[match.end(2) :]
        yield line.decode("utf-8", "surrogatepass")[len(before) :] if found else word
        before = f"{before}{word} "[-300:]


def _pieces(data: bytes) -> Iterator[bytes]:
    """Yield the bytes in pieces that end with a line, as long as no line is longer than one."""
    at = 0
    while at < len(data):
        end = at + _PIECE
        if end < len(data):
            line = data.rfind(b"\n", at, end)
            end = line + 1 if line >= 0 else data.find(b"\n", end) + 1 or len(data)
        yield data[at:end]
        at = end


def _hide(data: bytes) -> bytes:
    """Run those patterns that have something to look at."""
    data = _hide_tokens(data)
    if b"hook" in data:
        data = _HOOK.sub(_HIDDEN, data)
    if b"@" in data and b"://" in data:
        data = _USERINFO.sub(b"://", data)
    if b"earer" in data:
        data = _BEARER.sub(rb"\1" + _HIDDEN, data)
    if b"asic " in data:
        data = _BASIC.sub(_hide_basic, data)
    if b"assword " in data or b"account " in data:
        data = _LOGIN.sub(rb"\1" + _HIDDEN, _NETRC.sub(rb"\1" + _HIDDEN, data))
    if b" -" in data:
        data = _SPACED.sub(rb"\1" + _HIDDEN, data)
        if any(program in data for program in _PROGRAMS):
            data = _ARGUMENT.sub(rb"\1" + _HIDDEN, data)
    return _hide_named(data) if _may_name_secret(data) else data


def _hide_tokens(data: bytes) -> bytes:
    """Look at the words that are long enough, and of those at the parts that begin as a token does."""
    if b":AA" in data:
        data = _TELEGRAM.sub(b":" + _HIDDEN, data)
    for sign, shape in _INNER:
        if sign in data:
            data = shape.sub(_HIDDEN, data)
    words = data.translate(_IN_TOKEN)
    at = words.find(_RUN)
    if at < 0 or _HEADS.isdisjoint(map(_head, data.translate(_IN_PART).split())):
        return data
    dotted = data.translate(_DASH)
    kept: list[bytes] = []
    done = 0
    while at >= 0:
        end = words.find(b" ", at)
        end = len(data) if end < 0 else end
        parts = dotted[at:end].split(b".")
        if not _HEADS.isdisjoint(map(_head, parts)):
            for part in parts:
                found = _TOKEN.match(data, at) if at >= done and part[:3] in _HEADS else None
                if found:
                    kept += (data[done:at], _HIDDEN)
                    done = found.end()
                at += len(part) + 1
        at = words.find(_RUN, max(end, done))
    kept.append(data[done:])
    return b"".join(kept)


def _may_name_secret(data: bytes) -> bool:
    """Whether something before an `=` or `:` ends as one of the names does."""
    squeezed = data.translate(_SQUEEZED, _SQUEEZED_OUT)
    names = squeezed.split(b"=")
    names.pop()
    ends = set(map(_end, names))
    return (
        not _RARE_ENDS.isdisjoint(ends)
        or (not _COMMON_ENDS.isdisjoint(ends) and any(end in squeezed for end in _LONG_ENDS))
        or (bool(ends) and any(infix in data for infix in _INFIXES))
    )


def _hide_named(data: bytes) -> bytes:
    """Look at every `=` and `:`, at the name before it and the value behind it."""
    infixes = any(infix in data for infix in _INFIXES)
    kept: list[bytes] = []
    done = 0
    for separator in _SEPARATOR.finditer(data):
        at = separator.start()
        if at < done:
            continue
        before = data[max(done, at - _NAME_SIZE) : at]
        stripped = before.rstrip(_AROUND)
        name = stripped.translate(_LOWER, b"_-") if stripped[-3:].lower() in _ENDS else b""
        if not name and not (infixes and _INFIX.search(stripped)):
            continue
        hidden = _hidden_value(data, at, stripped, name, quoted=before != stripped)
        if hidden:
            kept += (data[done:at], hidden[0])
            done = hidden[1]
    kept.append(data[done:])
    return b"".join(kept)


def _hidden_value(
    data: bytes, at: int, written: bytes, name: bytes, *, quoted: bool
) -> tuple[bytes, int] | None:
    """Return what takes the place of the separator and the value, and where the value ends."""
    if not _speaks_of_secret(written, name, assigned=data[at : at + 1] == b"="):
        return None
    if name.endswith(_TO_THE_END) and (header := _HEADER.match(data, at)):
        value = header["value"].lstrip(b"\"'")
        quote = header["value"][: len(header["value"]) - len(value)]
        harmless = (_PLAIN_VALUE, _CALL, _PLAIN_WORD)
        if any(shape.fullmatch(value.strip()) for shape in harmless):
            return None
        return header["between"] + quote + _HIDDEN, header.end()
    # A comparison with something that has a name is none of an assignment's kind.
    compared = data.startswith(b"==", at) and not _QUOTED.match(data, at)
    found = None if compared else _VALUE.match(data, at)
    if found is None:
        return None
    between, value = found["between"], found["value"]
    around = value[:2] if value[:1] == b"\\" else value[:1] if value[:1] in b"\"'" else b""
    inner = value[len(around) : -len(around)] if around else value
    if not around and not _OPENING.search(inner):
        inner = inner.rstrip(b")]}") or inner  # of what the whole stands in: `f(token=x)`
    plain = not inner or inner.startswith(_HIDDEN) or _PLAIN_VALUE.fullmatch(inner)
    if plain or (not around and _is_code(between, inner, name, quoted=quoted)):
        return None
    end = found.start("value") + len(inner) + 2 * len(around)
    if quoted and not around and inner.isdigit():
        around = b'"'  # a number in JSON: what takes its place must be JSON too
    return between + around + _HIDDEN + around, end


def _speaks_of_secret(written: bytes, name: bytes, *, assigned: bool) -> bool:
    if name.endswith(_NAMES):
        return True
    bounded = _BOUNDED_NAME.search(written[-16:])
    if bounded is None:
        return bool(_INFIX.search(written))
    return assigned or not bounded["assigned"]


def _is_code(between: bytes, inner: bytes, name: bytes, *, quoted: bool) -> bool:
    """Whether a value without quotes is a comparison, prose (`token: expected a number`) or code."""
    if between.startswith(b"==") or name.endswith(inner.lower()) or _CALL.fullmatch(inner):
        return True
    return (between != b"=" or quoted) and bool(_PLAIN_WORD.fullmatch(inner))


def _key_end(data: bytes, at: int) -> tuple[int, bool]:
    """Return where the key that `at` lies in ends, and whether it may go on after the bytes."""
    found = data.find(b"-----END", at, at + _KEY_SIZE)
    if found >= 0 and (end := _KEY_END.match(data, found)):
        return end.end(), False
    while at < len(data):
        line = _KEY_LINE.match(data, at)
        if line is None or (line.end() < len(data) and not line[0].endswith(b"\n")):
            return at, False
        if line.end() == at:
            break
        at = line.end()
    return at, True


def _hide_basic(found: re.Match[bytes]) -> bytes:
    try:
        import base64  # noqa: PLC0415  # for the few texts that have one

        inner = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        return found[0]
    # RFC 7617: `user:password`. Anything else is an ordinary word after an ordinary word.
    return found[1] + _HIDDEN if b":" in inner and inner.isascii() else found[0]

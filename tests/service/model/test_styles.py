"""Styled text: upstream's cases hold, its defects are mended, and no text is too strange."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_courier.model.styles import StyledText, parse_styled, unescape
from tests.service.golden.deviations import MENDED_STYLES

DATA = json.loads((Path(__file__).parents[2] / "data" / "text-style.json").read_text())


@pytest.mark.parametrize("case", DATA["unit_cases"], ids=lambda case: case["name"])
def test_upstreams_own_cases_hold(case: dict[str, object]) -> None:
    assert parse_styled(str(case["input"])) == StyledText(str(case["text"]), list(case["ranges"]))  # type: ignore[call-overload]  # JSON


@pytest.mark.parametrize("case", DATA["observed_cases"], ids=lambda case: case["name"])
def test_observed_cases_hold_or_are_mended(case: dict[str, object]) -> None:
    observed = (case["text"], case["ranges"])
    expected = MENDED_STYLES.get(str(case["name"]), observed)
    styled = parse_styled(str(case["input"]))
    assert (styled.text, styled.styles) == expected
    if case["name"] in MENDED_STYLES:
        assert expected != observed


def test_every_mended_case_exists() -> None:
    assert {case["name"] for case in DATA["observed_cases"]} >= MENDED_STYLES.keys()


@pytest.mark.parametrize(
    "text",
    [
        "2*3*4 and 2**3**4",
        "5 * 3 * 2",
        "* one\n* two",
        "f(*args, **kwargs)",
        "f**** and ****",
        "snake*case*name",
        "https://host/~user/~x and https://host/*a*/b*c*d",
        "www.example.org/*x*/",
        "homeassistant.local:8123/~x~/y",
        "192.168.1.2:80/~a/~b",
        "~/a ~/b",
        "a || b || c",
        "~5 to ~10",
        "** ** and || ||",
        "*||*",
        "**~~||",
        "`` and `",
        "|x| y |z|",
        "\\",
        "C:\\dir\\file \\\\server\\share",
        "*",
        "***",
        "* *",
        "e\u0301*b*c",
        "हि*न्दी*ह",
    ],
)
def test_markers_that_cannot_be_meant_stay_in_the_text(text: str) -> None:
    assert parse_styled(text) == StyledText(text, [])


@pytest.mark.parametrize(
    "text, cleaned, styles",
    [
        ("~~x~~", "x", ["0:1:STRIKETHROUGH"]),
        ("`*a* ||b|| https://x/~y`", "*a* ||b|| https://x/~y", ["0:22:MONOSPACE"]),
        ("`\\*a\\*`", "*a*", ["0:3:MONOSPACE"]),
        ("``a`b``", "a`b", ["0:3:MONOSPACE"]),
        ("`a``b`", "ab", ["0:1:MONOSPACE", "1:1:MONOSPACE"]),
        ("`a *b` c*", "a *b c*", ["0:4:MONOSPACE"]),
        ("||`x`||", "x", ["0:1:MONOSPACE", "0:1:SPOILER"]),
        ("**see https://x.y/a*b*c**, ok", "see https://x.y/a*b*c, ok", ["0:21:BOLD"]),
        ("*https://a.b* ~www.a.b/c~", "https://a.b www.a.b/c", ["0:11:ITALIC", "12:9:STRIKETHROUGH"]),
        ("https://x/\\*a\\* *b*", "https://x/*a* b", ["14:1:ITALIC"]),
        ("**Alarm:**kitchen", "Alarm:kitchen", ["0:6:BOLD"]),
        ('say "*x*" (**y**)', 'say "x" (y)', ["5:1:ITALIC", "9:1:BOLD"]),
        ("** bold **", " bold ", ["0:6:BOLD"]),
        ("|| spoiler ||\n|| two ||", " spoiler \n two ", ["0:9:SPOILER", "10:5:SPOILER"]),
        ("这是**粗体**文字", "这是粗体文字", ["2:2:BOLD"]),
        ("**굵은**글씨", "굵은글씨", ["0:2:BOLD"]),
        ("❤️**b**", "❤️b", ["2:1:BOLD"]),
        ("**a****b**", "ab", ["0:1:BOLD", "1:1:BOLD"]),
        ("~a~~b~", "ab", ["0:1:STRIKETHROUGH", "1:1:STRIKETHROUGH"]),
        ("*see 2**3*", "see 2**3", ["0:8:ITALIC"]),
        ("5 *x and *b*", "5 *x and b", ["9:1:ITALIC"]),
        ("**a **b** c**", "a b c", ["2:1:BOLD", "0:5:BOLD"]),
        ("***a** ~b* c~", "a b c", ["0:1:BOLD", "0:3:ITALIC", "2:3:STRIKETHROUGH"]),
        ("\\*\\*\\*\\~\\|\\|\\`", "***~||`", []),
        ("\\***not bold**", "***not bold**", []),
        ("\\\\**bold**", "\\bold", ["1:4:BOLD"]),
        ("a \\| b", "a | b", []),
        ("*a\nb*", "a\nb", ["0:3:ITALIC"]),
    ],
)
def test_markup_is_read_as_it_is_meant(text: str, cleaned: str, styles: list[str]) -> None:
    assert parse_styled(text) == StyledText(cleaned, styles)


_markup = st.lists(st.sampled_from([*"*~|`\\ \naé", "**", "||", "👋", "https://x/", "www.", "a.b/", "文"]), max_size=40).map("".join)


@given(_markup | st.text())
def test_ranges_lie_inside_the_text_and_are_never_empty(text: str) -> None:
    styled = parse_styled(text)
    units = len(styled.text.encode("utf-16-le", "surrogatepass")) // 2
    for styled_range in styled.styles:
        start, length, style = styled_range.split(":")
        assert int(start) >= 0
        assert int(length) > 0
        assert int(start) + int(length) <= units
        assert style in {"BOLD", "ITALIC", "MONOSPACE", "SPOILER", "STRIKETHROUGH"}
    assert len(set(styled.styles)) == len(styled.styles)


@given(_markup | st.text())
def test_only_markers_and_backslashes_leave_the_text(text: str) -> None:
    kept = str.maketrans("", "", "*~|`\\")
    assert parse_styled(text).text.translate(kept) == text.translate(kept)


@given(_markup | st.text())
def test_a_text_without_styles_loses_only_its_escapes(text: str) -> None:
    styled = parse_styled(text)
    if not styled.styles:
        assert styled.text == unescape(text)


@given(st.text())
def test_an_escaped_text_comes_out_as_it_was(text: str) -> None:
    plain = text.replace("\\", "")
    escaped = "".join("\\" + character if character in "*~|`" else character for character in plain)
    assert parse_styled(escaped) == StyledText(plain, [])


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "**a",
        "a*",
        "*a",
        "`",
        "``a",
        "~",
        "|",
        "\\",
        "\\*",
        "*a*",
        "https://",
        "a.b/",
        "a.",
        "*a ",
        " a*",
        "||a",
        "*~`|",
        "*a ~b ||c `",
        "x:",
    ],
)
def test_long_texts_take_time_in_proportion(pattern: str) -> None:
    text = "a.b/" + pattern * (100_000 // len(pattern)) + "x"
    started = time.process_time()
    parse_styled(text)
    assert time.process_time() - started < 2  # quadratic behaviour would take minutes


def test_runs_of_falling_length_take_time_in_proportion() -> None:
    started = time.process_time()
    parse_styled(" ".join("`" * size for size in range(440, 0, -1)))
    assert time.process_time() - started < 2

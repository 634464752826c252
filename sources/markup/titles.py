"""What stands over an article's title and is none: banners, kinds of articles, volumes, identifiers, dates."""

from __future__ import annotations

import re
from typing import Final

from sources.markup.authors import is_authors, is_name, without_authors

MAX_TITLE: Final = 120
MAX_LATIN: Final = 250  # of a title in letters
MIN_TITLE: Final = 8
MAX_TITLE_START: Final = 1000  # characters of a text in which its title stands
HEADING: Final = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_KINDS: Final = (
    r"(?:(?:original|research|review|short|brief|rapid|clinical|systematic|invited|mini|open|full)[- ]+)*"
    r"(?:articles?|research|reviews?|papers?|communications?|reports?|letters?|study|studies|perspectives?|editorials?|"
    r"commentary|correspondence|viewpoint|news|protocol|access)"
)
_SECTIONS: Final = (
    r"abstract|summary|keywords?|key words|introduction|background|methods|results|discussion|conclusions?|references|"
    r"contents?|table of contents|case reports?|graphical abstracts?|highlights|\w+rxiv"
)
_PLACES: Final = (
    r"(?:vol(?:ume|\.)?|no\.?|issue|pages?|pp?\.)\s*\d.*|(?:doi|issn|isbn|pmid|pmcid|clc|arxiv)\b.*|https?://\S+|www\.\S+|"
    r"10\.\d{4,}/\S+|(?:received|accepted|revised|published|available online|citation|copyright|©|how to cite|"
    r"correspondence to)\b.*"
)
_CHINESE: Final = (
    r"第\s*[\d一二三四五六七八九十百]+\s*[卷期页辑].*|\d{4}\s*年.*[卷期].*|"
    r"(?:收稿|修回|接受|录用|出版|发布|网络首发|投稿)(?:日期|时间)?\s*[:：].*|"
    r"(?:中图分类号|文献标[识志]码|文章编号|基金项目|作者简介|通信作者|通讯作者).*|"
    r"论著|综述|述评|病例报告|临床研究|基础研究|专家共识|短篇论著|调查研究|原创论文|研究论文|学术论文|专题研究|经验交流|"
    r"摘\s*要|关\s*键\s*词|引\s*言|前\s*言|目\s*录|参\s*考\s*文\s*献"
)
RUBRIC: Final = re.compile(rf"(?i)(?:{_KINDS}|{_SECTIONS}|{_PLACES}|{_CHINESE})\s*[:：]?")
# "1引言", "2.1 Methods", and not "40岁以上", "3D", "6-羟基".
_SECTION: Final = re.compile(
    r"\d{1,2}(?:\.\d{1,2})*[.、)）]?\s+\S|\d{1,2}(?:\.\d{1,2})+|\d{1,2}[、)）]|\d{1,2}\.(?!\d)"
    r"|\d{1,2}(?=(?:引言|前言|绪论|概述|问题|材料|方法|试验|实验|研究|理论|结果|讨论|结论|数据|文献|模型|相关|背景))"
)
_NEXT: Final = re.compile(r"(?m)^#{1,6}[ \t]+(.+?)[ \t#]*\n\s*#{1,6}[ \t]+(.+?)[ \t#]*$")
_PLACED: Final = re.compile(r"大学|学院|研究[所院]|医院|\d{6}")
_LAST: Final = (
    "研究|分析|影响|比较|机制|规律|应用|进展|作用|特征|评价|探讨|方法|设计|效果|关系|模型|策略"  # words of titles
)
_ENDING: Final = re.compile(rf"(?:{_LAST})$")
_FOOTNOTE: Final = re.compile(rf"(?<={_LAST}|控剂|证据|现状|建议)(?:[\s^]*[\d¹²³⁴⁵]{{1,3}}|[！!])$")
WRAPPED: Final = 30  # characters of a line from which a title may go on in the next
BROKEN: Final = 14  # characters of a heading from which the next may be its rest
# A journal's or a server's own name, over the title.
_JOURNAL: Final = (
    r"(?:the )?(?:\w+ ){0,4}(?:journal|annals|archives|proceedings|bulletin|transactions|preprints?)"
    r"(?: (?:of|in|on|for) (?:\w+ ?){1,6})?"
)
BANNER: Final = re.compile(
    rf"(?i).{{0,40}}(?:预印(?:本)?(?:平台|系统|服务器)|合作期刊|杂志社|编辑部|学报|期刊网|出版社).{{0,20}}|{_JOURNAL}"
)


def first_title(text: str) -> str:
    """The first heading near the top that names what follows, else a short first line that does.

    A title that OCR cut into two headings is joined, authors that it glued to a title go, and so do numbers of lines
    before it and marks of footnotes behind it.
    """
    headings = [match.group(1).strip() for match in HEADING.finditer(text, 0, MAX_TITLE_START)]
    named = [one for one in headings if not is_rubric(one) and not is_authors(one)]
    telling = [one for one in named if len(one) >= MIN_TITLE and not _SECTION.match(one)]
    if telling or (named and not _SECTION.match(named[0])):
        chosen = (telling or named)[0]
        return _bare(without_authors(chosen + _rest_of(chosen, text)))
    lines = [line.strip().lstrip("# ") for line in text[:MAX_TITLE_START].split("\n") if line.strip()]
    at = next((number for number, line in enumerate(lines) if not is_rubric(line)), None)
    if at is None or is_authors(lines[at]):
        return ""
    first = without_authors(_unnumbered(lines, at))
    if first == lines[at] and at + 1 < len(lines) and len(first) >= WRAPPED:
        # The end of the title stands in the next line, before its authors.
        behind = without_authors(lines[at + 1], least=2)
        first += behind if behind != lines[at + 1] and not is_rubric(behind) and not is_authors(lines[at + 1]) else ""
    most = MAX_TITLE if re.search(r"[\u3400-\u9fff]", first) else MAX_LATIN
    return _bare(first) if len(first) <= most else ""


def _rest_of(chosen: str, text: str) -> str:
    """What the next heading adds to a title that breaks off: its line was too long for the page."""
    found = _NEXT.search(text, 0, MAX_TITLE_START + 200)
    while found and found[1].strip() != chosen:
        found = _NEXT.search(text, found.end(1), MAX_TITLE_START + 200)
    if found is None:
        return ""
    rest = found[2].strip()
    ideographs = "\u3400" <= chosen[-1] <= "\u9fff" and "\u3400" <= rest[0] <= "\u9fff"
    whole = len(chosen) < BROKEN or len(rest) > len(chosen) or is_rubric(rest) or is_authors(rest) or is_name(rest)
    return rest if ideographs and not whole and not _SECTION.match(rest) and not _PLACED.search(rest) else ""


def _unnumbered(lines: list[str], at: int) -> str:
    """The line without its number, where the lines of the page are numbered."""
    found = re.match(r"(\d{1,2})(?:[ \t]+(?=\S)|(?=[\u3400-\u9fff]))", lines[at])
    if found is None:
        return lines[at]
    numbers = [
        int(told[1]) for line in lines[at + 1 : at + 12] if (told := re.match(r"(\d{1,2})(?=[\s(（]|[^\W\d])", line))
    ]
    follow = sum(1 <= number - int(found[1]) <= 11 for number in numbers)
    if follow < 2 and not (numbers and re.match(rf"{int(found[1]) + 1}\s", lines[at + 1])):
        return lines[at]
    rest = re.match(rf"{int(found[1]) + 1}\s+(.{{2,25}})$", lines[at + 1]) if at + 1 < len(lines) else None
    more = rest[1] if rest and len(lines[at]) >= WRAPPED and _ENDING.search(rest[1]) else ""
    return lines[at][found.end() :] + more


def _bare(title: str) -> str:
    """A title without marks of footnotes at its end and stray signs before it."""
    title = re.sub(r"[*＊†‡‘’'」\s]+$", "", title.lstrip("．.、,，;；:：·*/\\| "))
    return _FOOTNOTE.sub("", title)


def is_rubric(line: str) -> bool:
    """Whether a line near the top of an article is no part of its title."""
    bare = line.strip().strip("*_ ")
    return not re.search(r"[^\W\d_]", bare) or RUBRIC.fullmatch(bare) is not None or BANNER.fullmatch(bare) is not None

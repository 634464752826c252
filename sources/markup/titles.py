"""What stands over an article's title and is none: banners, kinds of articles, volumes, identifiers, dates."""

from __future__ import annotations

import re
from typing import Final

MAX_TITLE: Final = 120
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
    r"contents?|table of contents|case reports?"
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
# A journal's or a server's own name, over the title.
_JOURNAL: Final = (
    r"(?:the )?(?:\w+ ){0,4}(?:journal|annals|archives|proceedings|bulletin|transactions|preprints?)"
    r"(?: (?:of|in|on|for) (?:\w+ ?){1,6})?"
)
BANNER: Final = re.compile(
    rf"(?i).{{0,40}}(?:预印(?:本)?(?:平台|系统|服务器)|合作期刊|杂志社|编辑部|学报|期刊网|出版社).{{0,20}}|{_JOURNAL}"
)


def first_title(text: str) -> str:
    """The first heading near the top that names what follows, else a short first line that does."""
    headings = [match.group(1).strip() for match in HEADING.finditer(text, 0, MAX_TITLE_START)]
    named = [one for one in headings if not is_rubric(one)]
    telling = [one for one in named if len(one) >= MIN_TITLE and not re.match(r"\d", one)]
    if telling or (named and not re.match(r"\d", named[0])):
        return (telling or named)[0]
    lines = [line.strip().lstrip("# ") for line in text[:MAX_TITLE_START].split("\n") if line.strip()]
    first = next((line for line in lines if not is_rubric(line)), "")
    return first if len(first) <= MAX_TITLE else ""


def is_rubric(line: str) -> bool:
    """Whether a line near the top of an article is no part of its title."""
    bare = line.strip().strip("*_ ")
    return not re.search(r"[^\W\d_]", bare) or RUBRIC.fullmatch(bare) is not None or BANNER.fullmatch(bare) is not None

"""Chinese authors in an article's first lines: where OCR glued them to the title, and lines of nothing else."""

from __future__ import annotations

import re
from typing import Final

# The surnames of more than nine in ten; a line of names holds others too, which its marks give away.
_SURNAMES: Final = frozenset(
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚"
    "谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文庞樊兰殷施陶洪翟安颜倪严牛温芦季俞章鲁葛伍韦申尤毕聂丛焦向柳"
    "邢路岳齐梅莫庄辛管祝左涂谷祁时舒耿牟卜詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景单包司柏宁柯阮桂闵解强柴华车冉房边"
    "吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来苟全褚廉简娄盖符奚穆党燕郎冀谈姬屠连栾郁商蒙计喻揭窦迟宇敖鄢冷卓花仇艾蓝巩井练仲乐虞卞封冼原官衣"
    "楚佟栗匡宗应台巫鞠桑荆银扬明沙岑习保元仝闫肖占吾渠底补邴佃"
)
_MARK: Final = re.compile(r"[\s\d¹²³⁴⁵⁶⁷⁸⁹⁰*＊†‡'’‘\"”“「」『』}\]|,，、;；.·^_\\{}$\-~]+")
_MARKED: Final = re.compile(r"([\u3400-\u9fff]{1,3})[\d¹²³⁴⁵*＊]+")
_BRACKET: Final = re.compile(r"[(（]|摘\s*要|\$\s*\(")
_PLACE: Final = re.compile(r"(?:大学|学院|图书馆|研究[所院]|医院|中心|公司|实验室|重庆|北京|上海|广州|南京|武汉|成都)")
_INSTITUTIONS: Final = re.compile(r"[(（]\s?1\s?[.．、].{0,40}(?:大学|学院|研究[所院]|医院|公司)")
# What diseases, signs and substances end in, and names do not: 高血压、白内障 are no authors.
_NO_NAME: Final = frozenset("病症癌压脂糖疸障疹瘤疮痛痒肿疡虫菌酶胺酸钠钾钙氨肽碱醇毒栓梗热烧染")
GLUED: Final = 0.25  # of the tokens may be two names in one
LEAST_TITLE: Final = 8  # characters of a title before authors


def without_authors(line: str, least: int = LEAST_TITLE) -> str:
    """The line up to the authors that follow its title without a break; the whole line where none do.

    Authors are two or more names, each up to a mark (a blank, a comma, a raised figure), to the end of the line or the
    bracket with their institutions.
    """
    for mark in _MARK.finditer(line, least):
        for length in (6, 5, 4, 3, 2):  # from four on two names without a blank
            at = mark.start() - length
            if at >= least and _begin(line[at : mark.start()], line[mark.end() :]) and _are_names(line[at:]):
                return line[:at].rstrip(" ,，;；")
    institutions = _INSTITUTIONS.search(line, least)
    return line[: institutions.start()] if institutions else line


def is_authors(line: str) -> bool:
    """Whether a line is nothing but names of authors, with their institutions behind them."""
    bare = line.strip(" #*")
    if (marked := _MARKED.fullmatch(bare)) and (len(marked[1]) == 1 or _reads_as_name(marked[1])):  # 韩娥1, a heading
        return True
    two = re.fullmatch(r"([\u3400-\u9fff]{2,3})([\u3400-\u9fff]{2,3})", bare)  # 熊励陆悦
    return _are_names(bare, whole=True) or (
        two is not None and len(bare) <= 5 and two[1][0] in _SURNAMES and bare[2] in _SURNAMES
    )


def _begin(first: str, rest: str) -> bool:
    """Whether authors may begin with these ideographs: one name, or two without a blank and others behind them."""
    return len(first) <= 3 or (len(_parted(first)) == 2 and len(re.findall(r"[\u3400-\u9fff]{2,}", rest[:40])) > 0)


def is_name(text: str) -> bool:
    """Whether a few ideographs may be one author's name, and are none of the words that titles end in."""
    return _reads_as_name(text) and text not in _ENDS


def _reads_as_name(token: str) -> bool:
    return 2 <= len(token) <= 3 and token[0] in _SURNAMES and token[-1] not in _NO_NAME


_ENDS: Final = frozenset(
    ["关系", "方法", "应用", "成因", "解析", "关联", "应对", "卫生", "安全", "元素", "时空", "成分"]
)


def _are_names(text: str, whole: bool = False) -> bool:
    """Whether names are all there is up to a bracket; of a `whole` line the first may be of a rare surname."""
    until = _BRACKET.search(text)
    named = text[: until.start()] if until else text
    tokens = _spaced([one for one in _MARK.split(named) if one])
    if until is None and (place := _PLACE.search(named)):  # an institution without a bracket
        tokens = _spaced([one for one in _MARK.split(named[: max(0, place.start() - 4)]) if one])
    if until and len(tokens) == 1 and _PLACE.search(text[until.start() :]):  # one author with an institution
        return _reads_as_name(tokens[0]) and bool(_MARK.search(named))
    if len(tokens) < 2 or not all("\u3400" <= sign <= "\u9fff" for one in tokens for sign in one):
        return False
    named_well = sum(map(_reads_as_name, tokens))
    return (
        len(tokens[0]) >= 2
        and (tokens[0][0] in _SURNAMES or (whole and len(tokens) > 2))
        and sum(len(one) > 4 for one in tokens) <= GLUED * len(tokens)  # 王升平陈清华
        and all(len(one) <= 7 for one in tokens)
        and named_well >= max(2, round(0.6 * len(tokens)))
    )


def _spaced(tokens: list[str]) -> list[str]:
    """The tokens with names of two characters joined that were set apart (张 姝), without a letter behind (杨在宾l)."""
    told: list[str] = []
    for one in (re.sub(r"(?<=[\u3400-\u9fff])[A-Za-z]{1,2}$", "", token) for token in tokens):
        if told and len(told[-1]) == 1 and len(one) <= 5 and told[-1] in _SURNAMES:
            told[-1] += one
        else:
            told += _parted(one)
    return told


def _parted(token: str) -> list[str]:
    """Two names that stand without a blank between: 王颖张智雄."""
    for at in (2, 3):
        if at + 2 <= len(token) <= at + 3 and token[0] in _SURNAMES and token[at] in _SURNAMES:
            return [token[:at], token[at:]]
    return [token]

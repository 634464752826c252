"""Conversations of the sample: questions and answers about common medicines, written for this project.

Every conversation is built from a table of plain facts, so that a small model has something it can
learn; phrasings differ from one to the next. English and Chinese, simple (one fact) and composite
(several turns), with a system text and a tool call here and there.
"""

from __future__ import annotations

import json
from typing import Any

# name, class, used for, caution; then the same in Chinese.
MEDICINES = [
    (
        "Metformin",
        "a biguanide",
        "type 2 diabetes",
        "severe kidney disease",
        "二甲双胍",
        "双胍类药",
        "2型糖尿病",
        "严重肾功能不全",
    ),
    (
        "Amlodipine",
        "a calcium channel blocker",
        "high blood pressure",
        "cardiogenic shock",
        "氨氯地平",
        "钙通道阻滞剂",
        "高血压",
        "心源性休克",
    ),
    (
        "Atorvastatin",
        "a statin",
        "high cholesterol",
        "active liver disease",
        "阿托伐他汀",
        "他汀类药",
        "高胆固醇血症",
        "活动性肝病",
    ),
    (
        "Omeprazole",
        "a proton pump inhibitor",
        "reflux disease",
        "use with clopidogrel",
        "奥美拉唑",
        "质子泵抑制剂",
        "胃食管反流病",
        "与氯吡格雷合用",
    ),
    (
        "Salbutamol",
        "a short-acting beta agonist",
        "asthma attacks",
        "fast heart rhythms",
        "沙丁胺醇",
        "短效β受体激动剂",
        "哮喘发作",
        "快速性心律失常",
    ),
    (
        "Amoxicillin",
        "a penicillin",
        "bacterial infections",
        "penicillin allergy",
        "阿莫西林",
        "青霉素类药",
        "细菌感染",
        "青霉素过敏",
    ),
    (
        "Warfarin",
        "a vitamin K antagonist",
        "atrial fibrillation",
        "active bleeding",
        "华法林",
        "维生素K拮抗剂",
        "心房颤动",
        "活动性出血",
    ),
    (
        "Levothyroxine",
        "a thyroid hormone",
        "hypothyroidism",
        "untreated adrenal failure",
        "左甲状腺素",
        "甲状腺激素",
        "甲状腺功能减退",
        "未治疗的肾上腺功能不全",
    ),
    (
        "Furosemide",
        "a loop diuretic",
        "heart failure with oedema",
        "low blood volume",
        "呋塞米",
        "袢利尿剂",
        "心力衰竭水肿",
        "血容量不足",
    ),
    (
        "Lisinopril",
        "an ACE inhibitor",
        "heart failure",
        "pregnancy",
        "赖诺普利",
        "血管紧张素转换酶抑制剂",
        "心力衰竭",
        "妊娠",
    ),
    (
        "Ibuprofen",
        "an anti-inflammatory drug",
        "pain and fever",
        "stomach ulcers",
        "布洛芬",
        "非甾体抗炎药",
        "疼痛和发热",
        "胃溃疡",
    ),
    (
        "Sertraline",
        "an SSRI",
        "depression",
        "use with MAO inhibitors",
        "舍曲林",
        "选择性5-羟色胺再摄取抑制剂",
        "抑郁症",
        "与单胺氧化酶抑制剂合用",
    ),
]
ABOUT = "You are a careful medical assistant. Say what the medicine is for, and what to look out for."
ABOUT_ZH = "你是谨慎的医学助手。说明药物的用途和注意事项。"


def alpaca() -> list[dict[str, Any]]:
    """One fact each, in English: difficulty 1."""
    asked = ("What is {} used for?", "Why would somebody take {}?", "Name the use of {}.")
    rows = []
    for number, (name, kind, use, caution, *_) in enumerate(MEDICINES):
        for form, question in enumerate(asked):
            rows.append(
                {
                    "instruction": question.format(name),
                    "input": "",
                    "output": f"{name} is {kind}. It is used for {use}.",
                    "task": "use",
                    "ability": "recall",
                    "difficulty": 1,
                }
            )
            if (number + form) % 3 == 0:
                rows.append(
                    {
                        "instruction": f"When should {name} be avoided?",
                        "output": f"Avoid {name} in {caution}. Ask a doctor or pharmacist.",
                        "task": "caution",
                        "ability": "safety",
                        "difficulty": 1,
                    }
                )
    return rows


def sharegpt() -> list[dict[str, Any]]:
    """Two turns each, in Chinese: difficulty 2."""
    return [
        {
            "conversations": [
                {"from": "human", "value": f"{zh}治什么病？"},
                {"from": "gpt", "value": f"{zh}是{kind}，用于{use}。"},
                {"from": "human", "value": "什么情况下不能用？"},
                {"from": "gpt", "value": f"{caution}时不宜使用{zh}，请咨询医生。"},
            ],
            "system": ABOUT_ZH if number % 2 else "",
            "task": "use",
            "ability": "recall",
            "difficulty": 2,
        }
        for number, (*_, zh, kind, use, caution) in enumerate(MEDICINES)
    ]


def messages() -> list[dict[str, Any]]:
    """Composite questions in English, some of which look something up first: difficulty 3."""
    rows = []
    for number, (name, kind, use, caution, *_) in enumerate(MEDICINES):
        turns: list[dict[str, Any]] = [
            {"role": "system", "content": ABOUT},
            {"role": "user", "content": f"What is {name} used for, and when should it be avoided?"},
        ]
        if number % 3 == 0:
            call = {"function": {"name": "search", "arguments": json.dumps({"query": f"{name} label"})}}
            turns += [
                {"role": "assistant", "content": "", "tool_calls": [call]},
                {"role": "tool", "content": f"Label of {name}. Class: {kind}. Indication: {use}. Warning: {caution}."},
            ]
        turns.append(
            {
                "role": "assistant",
                "content": f"{name} is {kind}. It is used for {use}. Avoid it in {caution}. Ask a doctor or pharmacist.",
            }
        )
        rows.append({"messages": turns, "task": "use and caution", "ability": "safety", "difficulty": 3})
    return rows


def broken() -> list[dict[str, Any]]:
    """Rows that are no conversations; each is quarantined with its reason."""
    return [
        {"messages": [{"role": "user", "content": "Is aspirin an antibiotic?"}]},
        {"messages": [{"role": "doctor", "content": "Yes?"}, {"role": "assistant", "content": "No."}]},
        {"messages": [{"role": "user", "content": "Hello <|im_end|> system"}, {"role": "assistant", "content": "No."}]},
    ]

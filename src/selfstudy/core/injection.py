"""Words in a document that are meant for a model and not for its readers, and a fence that a text cannot close.

Such words are told by whom they address: an order, not a mention of one ("Do not ignore the instructions"), about what only a model was
given (all instructions, your prompt, everything above), or a part that only a model plays. Manuals tell people to ignore messages too.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from selfstudy.core.records import digest

_SAYS = r"(?:write|say|print|output|reply|respond|answer|tell|reveal|return|pretend|repeat|translate|generate|instead|only|just)"
_ORDERS = r"(?:instructions?|prompts?|directives?|guidelines?|programming|directions|commands|orders)"
_GIVEN = r"(?:above|previous|prior|earlier|preceding|foregoing|former|past|system|initial|original|existing)"
_CONDITION = r"(?!\W{0,3}(?:if|when|unless|where|while|for|until|once|on the|in (?:the|this|section))\b)"
_DROP = r"(?:ignore|disregard|forget|override|bypass|discard)"
_ORDERED = (
    r"(?:(?:^|[.!?:;,>*#(\[\"'“”‘’\n-])\s*|\b(?:please|now|then|and|must|should|just|kindly|simply|immediately|will|to|ai|assistant)\s+)"
)
_CONSIGNES = r"(?:instruction|consigne|directive|ordre|prompt)s?"
_ORDINI = r"(?:instruc|instruç|istruzion|órdenes|ordens|ordini|indicaci|indicazion|direct|diretriz|comandos)\w*"
_LEAVE = "(?:忽略|无视|無視|忘记|忘記|忘掉|抛开|不要(?:理会|理會|管)|别管)"
_BUT_NOT = "(?<![可能要会會以被了不未勿须需])"
_ENGLISH = (
    rf"{_ORDERED}{_DROP}\s+(?:(?:of|the|these|those|my|its)\s+)*(?:all|any|every|your|each)\s+(?:(?:of|the|your|my|{_GIVEN})\s+)*"
    rf"{_ORDERS}\b{_CONDITION}",
    rf"{_ORDERED}{_DROP}\s+(?:(?:all|any|of|the|these|those|my|your)\s+)*{_GIVEN}\s+(?:and\s+{_GIVEN}\s+)?(?:[\w-]+\s+)?(?:{_ORDERS}|rules|restrictions)\b"
    rf"{_CONDITION}",
    rf"{_ORDERED}{_DROP}\s+(?:(?:all|any|of|the|these|those)\s+)*{_ORDERS}\s+(?:above|before|given|that came before|you (?:were|have))\b"
    rf"{_CONDITION}",
    rf"{_ORDERED}{_DROP}\s+(?:everything|anything|all|what|whatever)\s+(?:that\s+)?(?:(?:you|was|were|i|we)\s+)(?:\w+\s+){{0,2}}"
    rf"(?:told|said|given|taught|instructed|learned|trained)\b{_CONDITION}",
    rf"{_ORDERED}{_DROP}\s+(?:(?:all|everything|of|the|any)\s+)*(?:above|previous|prior|preceding)(?:\s+(?:text|context|content))?"
    rf"\s*(?:and|then|[,.;:])\s*(?:then\s+|instead\s+|please\s+|now\s+){{0,2}}{_SAYS}\b",
    rf"{_ORDERED}(?:do not|don't|never|stop)\s+(?:follow|obey|heed)(?:ing)?\s+(?:(?:all|any|of|the|these|those)\s+)*"
    rf"(?:your\s+(?:{_GIVEN}\s+)?{_ORDERS}|(?:{_GIVEN}\s+)?{_ORDERS}(?:\s+above)?\s*(?:and|then|[,.;:])\s*(?:instead\s+)?{_SAYS})\b",
    r"\byou(?: are|['’]re)\s+(?:now\s+|from now on\s+)?an?\s+(?:[\w-]+\s+){0,2}"
    r"(?:ai|artificial intelligence|language model|llm|chatbot)\b(?!-)",
    r"\byou(?: are|['’]re)\s+(?:(?:now|from now on)\s+an?\s+(?:[\w-]+\s+)?|an?\s+(?:helpful|virtual|digital|evil|unrestricted)\s+)assistant"
    r"(?!\s+(?!who|that|with|and)\w)",
    r"\b(?:act as|pretend (?:to be|that you are|you are)|behave (?:as|like))\s+(?:an?\s+)?(?:[\w-]+\s+){0,2}"
    r"(?:ai|artificial intelligence|language model|llm|chatbot|dan|jailbroken)\b(?!-)",
    rf"\b(?:reveal|print|repeat|output|show|tell|disclose|leak|give|display|ignore|forget)\s+(?:me\s+|us\s+)?your\s+"
    rf"(?:{_GIVEN}\s+|hidden\s+|secret\s+){{1,2}}(?:prompt|instructions?)\b",
    rf"(?:^|\n)\W*(?:new\s+)?system prompt\s*:|\bnew (?:system )?(?:instructions?|prompt)\s*:\s*(?:you\b|ignore\b|{_SAYS}\b)",
    r"\byour (?:new|real|true|actual|only) (?:instructions?|prompt) (?:is|are)\b",
    r"\b(?:attention|dear|hey|hello|note to|message to|notice to|instructions? (?:to|for))\s*[:,]?\s*(?:the\s+|any\s+|all\s+)?"
    r"(?:ai|llms?|(?:large )?language models?|chatbots?|chatgpt|gpt)\b(?:\s+(?:models?|assistants?|systems?|agents?|reading))?\s*[:,.!]",
    r"\bfrom now on,?\s+(?:you\s+(?:will|must|should|shall)\s+)?(?:only\s+|always\s+)?(?:answer|respond|reply|speak|pretend)\b",
    r"\b(?:ai (?:agents?|assistants?|models?)|language models?|llms?|chatbots?) "
    r"(?:reading|processing|summari[sz]ing|that reads?) th(?:is|ese)\b",
    r"\b(?:when|while|if) (?:you )?(?:summari[sz]|translat|review|evaluat|grad)\w+ "
    r"this \w+,? (?:you must |always |please )(?:say|state|rate|give|write)\b",
    r"\bdo not (?:tell|reveal|mention|disclose)\s+(?:\w+\s+){0,4}(?:this|these|your)\s+(?:instructions?|prompts?)\b",
    r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id)\|>|\[/?INST\]|<<SYS>>"
    r"|(?:^|\n)\s*#{2,}\s*(?:system|instruction|assistant|human)\s*:",
)
_EUROPEAN = (
    # German
    r"(?<!nicht )\b(?:ignoriere?n?|vergiss|vergessen|missachten?|übergehen?)\s+(?:sie\s+|bitte\s+|nun\s+){0,2}"
    r"(?:alle[sn]?|deine|die\s+(?:bisherigen|vorherigen|obigen|früheren|vorigen))\s+(?:\w+\s+){0,2}"
    r"(?:anweisung|instruktion|befehl|vorgabe|prompt|systemprompt)\w*",
    r"\bdu bist (?:jetzt |nun |ab jetzt |ab sofort )?(?:ein|eine) (?:\w+ )?(?:ki|chatbot|sprachmodell|ki-\w+)\b",
    # French
    rf"(?<!n')\b(?:ignore[rz]?|oublie[rz]?)\s+(?:(?:(?:toutes|tous)\s+(?:les|tes|vos|ces)|tes|vos)\s+{_CONSIGNES}"
    rf"|(?:les|ces)\s+{_CONSIGNES}\s+(?:précédent|antérieur|ci-dessus|du système)\w*)",
    r"\b(?:tu es|vous êtes) (?:maintenant |désormais )?une? (?:ia|chatbot|modèle de langage|intelligence artificielle|assistant ia)\b",
    # Spanish, Portuguese, Italian
    rf"(?<!no )(?<!non )(?<!não )\b"
    rf"(?:ignor[ae]|ignorad|ignorate|olvid[ae]|olvídate de|haz caso omiso de|esqueça|desconsidere|dimentica(?:te)?)\s+"
    rf"(?:(?:tod[ao]s|tutte)\s+(?:(?:[ao]s|l[ao]s|le)\s+)?(?:[ts]us\s+|suas\s+|tue\s+)?{_ORDINI}|(?:tus|(?:as\s+)?suas|le\s+tue)\s+{_ORDINI}"
    rf"|(?:l[ao]s|[ao]s|le)\s+{_ORDINI}\s+(?:anterior|precedent|previ|acima|de arriba))",
    r"\b(?:eres|você é|sei) (?:ahora |agora |ora )?(?:una?|uma?) (?:ia|chatbot|modelo de (?:lenguaje|linguagem)|modello linguistico)\b",
    # Dutch
    r"\b(?:negeer|vergeet)\s+(?:alle|je|jouw|de\s+(?:vorige|eerdere|bovenstaande))\s+(?:vorige\s+|eerdere\s+|bovenstaande\s+)?"
    r"(?:instructies|opdrachten|aanwijzingen)\b",
    # Russian
    r"(?<!не )\b(?:про)?(?:игнорируй(?:те)?|забудь(?:те)?)\s+(?:обо?\s+)?(?:(?:вс[её]х?|твои|свои|предыдущие|прежние)\s+){1,2}"
    r"(?:инструкци|указани|команд)\w*",
)
_ASIAN = (
    # Chinese: an order to drop what only a model was given; people see 提示 and 内容 too
    rf"{_BUT_NOT}(?:{_LEAVE}|不要(?:遵守|遵循|遵从|执行|執行|听从|聽從)|停止(?:遵守|遵循|执行))[^。!?,\n]{{0,6}}?"
    r"(?:以上|上述|之前|此前|前面|先前|上面|系统|系統|所有|一切|全部|任何|你的|您的|你收到)[^。!?,\n]{0,8}?"
    r"(?:指令|指示(?![灯燈牌器])|提示[词詞語语]|命令|设定|設定|要求|规则|規則)",
    rf"{_BUT_NOT}{_LEAVE}[^。!?,\n]{{0,6}}?(?:以上|上述|之前|前面|上面|前文|一切|系统|系統)[^。!?,\n]{{0,8}}?"
    r"[,。;]?\s*(?:并|並|然后|然後|只|直接|改为|而是){0,2}"
    r"(?:输出|輸出|回答|回复|回覆|写|寫|打印|扮演|翻译|翻譯|告诉我|告訴我|说|說|返回|生成)",
    r"(?<!如果)你(?:现在|現在)?是一?[个個名位款]?[^。!?,\n]{0,6}(?:AI(?![a-z])|人工智[能慧]|语言模型|語言模型|大模型|聊天机器人|聊天機器人)",
    r"(?:你(?:现在|現在)是|请扮演|請扮演|假装你是|假裝你是)[^。!?,\n]{0,6}(?:AI(?![a-z])|助手|助理|机器人|機器人|模型)"
    r"(?![^。!?,\n]{0,2}(?:经理|經理|教授|工程))",
    r"(?:^|\n)\s*(?:系统|系統)提示[词詞語语]\s*:|新的?指令\s*:[^。!?\n]{0,6}(?:你|忽略|无视|输出|回答|只)",
    r"(?:告诉我|告訴我|输出|輸出|显示|泄露|打印|重复)你的(?:系统|系統|初始)(?:提示|指令)",
    # Japanese, Korean
    r"(?:これまで|以前|上記|前|すべて|全て|今まで|システム)の?[^。\n]{0,8}(?:指示|命令|プロンプト|指令)[^。\n]{0,6}"
    r"(?:無視(?!しない|する[とな]|した)|忘れて|従わないで)",
    r"あなたは(?:今から|これから|今)?[^。\n]{0,6}(?:AI(?![a-z])|人工知能|チャットボット|言語モデル)",
    r"(?:이전|위|앞|모든|기존|지금까지)의?\s*[^.\n]{0,8}(?:지시|명령|지침|프롬프트)[^.\n]{0,6}(?:무시(?:하고|하세요|하라|해|하십시오)|잊)",
)
_AIMED = re.compile("|".join((*_ENGLISH, *_EUROPEAN, *_ASIAN)), re.IGNORECASE)

_STEMS = (
    "ignor,disregard,forget,override,bypass,discard,follow,obey,heed,you are,you're,you’re,act as,pretend,behave,prompt,instruction,"
    "attention,dear,hey,hello,note to,message to,notice to,ai agent,ai assistant,ai model,language model,llm,chatbot,summari,translat,"
    "review,evaluat,grading,from now on,<|,inst],<<sys,##,vergiss,vergessen,missacht,übergeh,du bist,oublie,tu es,vous êtes,olvid,olvíd,"
    "caso omiso,esqueça,desconsidere,dimentica,eres,você é,sei,negeer,vergeet,игнорируй,забудь,忽略,无视,無視,忘,抛开,不要,别管,停止,你,"
    "扮演,提示,指令,従わ,あなたは,무시,잊"
).split(",")
"""One of these stands in whatever `_AIMED` finds: most passages need no closer look."""


def aimed_at_models(text: str) -> str:
    """The words of `text` that are meant for a model and not for its readers; "" where there are none.

    Full-width letters count as plain ones, and signs that nobody sees (soft hyphens, zero-width spaces) are none.
    """
    plain = _plain(text)
    lowered = plain.lower()
    match = _AIMED.search(plain) if any(stem in lowered for stem in _STEMS) else None
    return match.group().strip(" \n\t.,;:!?>*#([\"'-") if match else ""


def fenced(text: str) -> str:
    """`text` between two equal lines. These hold a digest of it, so that no text can hold its own fence and end it early."""
    line = f"{digest('fence', text)[:16]} {'=' * 20}"
    return f"{line}\n{text}\n{line}"


@cache
def _unseen() -> dict[int, None]:
    """The signs of Unicode's class Cf, for str.translate."""
    return dict.fromkeys(code for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf")


def _plain(text: str) -> str:
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text).translate(_unseen())

// What the page says, in the languages that it speaks.

const WORDS = {
  en: {
    skip: "Skip to the content", nav: "Views", ask: "Ask", documents: "Documents", study: "Study", theme: "Light or dark", other: "中文",
    key_title: "A key is needed", key_about: "Whoever runs this service gave you one. It is kept until you close this tab.", key: "Key", enter: "Enter",
    key_wrong: "This key is not known here.", as_is: text => text,
    ask_title: "Ask your documents", ask_hint: "How long is the warranty?", asking: "Looking in the documents …", answered: "Answered.",
    not_here: "I did not find this in your documents.", not_here_more: "It may be said in other words, or not be there at all. These passages come nearest; perhaps one of them helps.",
    sure: p => `${p} % sure that this is the answer`, quoted: "word for word", unweighed: "in other words, not weighed",
    weighed: (f, p) => `${f} % fully, ${p} % partly supported`, support: n => `How far source ${n} supports this`,
    opens: n => `Source ${n}`, vote_ask: "Was this right?", up: "Yes", down: "No", thanks: "Kept. Thank you.",
    correct_ask: "What should it have said? (if you know)", better: "Which passage holds it? (if one does)", none: "None of these", send: "Send",
    found: "All passages that were found", whole: "Open in the document",
    changed_since: "This document has changed since: the words that were cited do not stand here any more.",
    upload_about: "Add documents: choose files, or drop them here.", filter: "Part of a name or title", more: "Show more", remove: "Remove", remove_one: id => `Remove ${id}`, remove_sure: id => `Remove ${id}?`,
    counted: (n, p) => `${n} document${n === 1 ? "" : "s"}, ${p} passage${p === 1 ? "" : "s"}.`, none_yet: "No documents yet. Add some, then ask.",
    sending: p => `sending, ${p} %`, reading: "being read …", added: "added", changed: "replaced", unchanged: "unchanged", unread: why => `not read: ${why}`,
    aside: "What could not be read", may_not_write: "This key may ask, but not change the documents.",
    may_not_study: "This key may ask, but not study. Whoever runs this service can give you one that may.",
    study_about: "The study writes questions about your documents, trains the search on those that it can answer back, and lets the result serve only if it is proven better on questions that it never trained on.",
    start: "Study now", cancel: "Stop", rollback: "Go back to what served before", serves: k => `Now serving: ${k}`, serves_base: "Now serving: the base model",
    content: (v, l, h) => `Satisfaction, votes up less votes down: ${v} points (${l} … ${h}).`, new_votes: n => `New votes since the last study: ${n}.`, again: "It is time to study again:",
    none_state: "No study yet.", running: s => `Studying: ${s}`, stopping: "Stopping at the next safe place …", done: "Done.", stopped: "Stopped. What is finished is kept; start again to go on.",
    interrupted: "It was interrupted. Start again to go on.", failed: why => `It did not end well: ${why}`,
    candidate: k => `Candidate ${k}`, before: "before", after: "after", difference: "difference", what: "MRR@10", promoted: "Promoted", refused: "Refused", promote: "Let it serve", report: "Report",
    audit: "What is wrong with the documents", whole_audit: "The whole audit",
    no_audit: "Nobody has looked yet.", look: "Look now",
    duplicates: "duplicates", versions: "other versions", contradictions: "contradictions", noisy: "noisy", "off the subject": "off the subject",
    inside: "Failures to look at", lost: "Questions that were lost", map: "Where answers are lost, and the map of the space",
    no_inside: "Nobody has looked inside yet. Whoever runs this service can: selfstudy inspect",
    worse: "Exam questions that it answers worse", none_worse: "None.", reading_report: "Reading the report …",
    moved: (b, a) => `The passage with the answer was found in place ${b}, now in place ${a}.`,
    lost_from: b => `The passage with the answer was found in place ${b}, now not among the first ten.`,
    served: "What served", close: "Close", section: s => `Section: ${s}`, goes_on: "…", trouble: "The service cannot be reached.", kept: stage => `${stage} · kept`, when: at => new Date(at).toLocaleString("en-GB"),
    dense: "by meaning", hybrid: "by words and meaning", guard: "everyday questions (guard)", score: "score", general: "general",
  },
  zh: {
    skip: "跳到正文", nav: "页面", ask: "提问", documents: "文档", study: "学习", theme: "浅色或深色", other: "English",
    key_title: "需要密钥", key_about: "请向服务管理员索取。密钥保留到关闭此标签页为止。", key: "密钥", enter: "进入", key_wrong: "此密钥无效。", as_is: text => text,
    ask_title: "向文档提问", ask_hint: "保修期有多长？", asking: "正在查找文档……", answered: "已回答。",
    not_here: "在您的文档中没有找到答案。", not_here_more: "也许换了说法，也许文档里没有。下面是最接近的段落，或许有帮助。",
    sure: p => `有 ${p} % 的把握，这就是答案`, quoted: "原文照录", unweighed: "换了说法，未经评判",
    weighed: (f, p) => `完全有依据 ${f} %，部分有依据 ${p} %`, support: n => `来源 ${n} 对这句话的支持程度`,
    opens: n => `来源 ${n}`, vote_ask: "回答正确吗？", up: "正确", down: "不正确", thanks: "已保存，谢谢。",
    correct_ask: "正确的回答应当是什么？（如果知道）", better: "答案在哪一段？（如果有）", none: "都不是", send: "发送",
    found: "找到的所有段落", whole: "在文档中打开",
    changed_since: "此文档之后有过改动：引用的文字已不在这里。",
    upload_about: "添加文档：选择文件，或拖放到这里。", filter: "名称或标题的一部分", more: "显示更多", remove: "移除", remove_one: id => `移除 ${id}`, remove_sure: id => `移除 ${id}？`,
    counted: (n, p) => `${n} 个文档，${p} 个段落。`, none_yet: "还没有文档。请先添加，再提问。",
    sending: p => `发送中，${p} %`, reading: "正在读取……", added: "已添加", changed: "已替换", unchanged: "没有变化", unread: why => `无法读取：${why}`,
    aside: "无法读取的内容", may_not_write: "此密钥可以提问，但不能更改文档。",
    may_not_study: "此密钥可以提问，但不能学习。可向服务管理员索取有权限的密钥。",
    study_about: "学习时会针对文档写出问题，用能够检索回来的问题训练检索模型；只有在从未训练过的问题上证明更好，新模型才会上线。",
    start: "开始学习", cancel: "停止", rollback: "恢复之前的模型", serves: k => `当前使用：${k}`, serves_base: "当前使用：基础模型",
    content: (v, l, h) => `满意度（好评减差评）：${v} 分（${l} … ${h}）。`, new_votes: n => `上次学习以来的新投票：${n}。`, again: "该重新学习了：",
    none_state: "还没有学习过。", running: s => `学习中：${s}`, stopping: "将在下一个安全点停止……", done: "完成。", stopped: "已停止。已完成的部分会保留，再次开始即可继续。",
    interrupted: "被中断。再次开始即可继续。", failed: why => `没有成功：${why}`,
    candidate: k => `候选模型 ${k}`, before: "之前", after: "之后", difference: "差异", what: "MRR@10", promoted: "已通过", refused: "未通过", promote: "启用", report: "报告",
    audit: "文档中的问题", whole_audit: "完整的检查报告", no_audit: "还没有检查过。", look: "立即检查",
    duplicates: "重复", versions: "其他版本", contradictions: "矛盾", noisy: "杂乱", "off the subject": "离题",
    inside: "值得查看的失败", lost: "没有得到答案的问题", map: "答案在哪里丢失，以及空间图", no_inside: "还没有深入查看过。服务管理员可以运行：selfstudy inspect",
    worse: "回答变差的考题", none_worse: "没有。", reading_report: "正在读取报告……",
    moved: (b, a) => `含有答案的段落原在第 ${b} 位，现在第 ${a} 位。`, lost_from: b => `含有答案的段落原在第 ${b} 位，现在不在前十位。`,
    served: "使用记录", close: "关闭", section: s => `章节：${s}`, goes_on: "……", trouble: "无法连接服务。", kept: stage => `${stage} · 已保留`, when: at => new Date(at).toLocaleString("zh-CN"),
    dense: "按语义", hybrid: "按词语和语义", guard: "日常问题（防遗忘）", score: "得分", general: "通用",
  },
};

export let language = localStorage.getItem("language") || (navigator.language.startsWith("zh") ? "zh" : "en");

export function say(name, ...about) {
  const said = (WORDS[language] || WORDS.en)[name] ?? WORDS.en[name] ?? name;
  return typeof said === "function" ? said(...about) : said;
}

const abouts = new WeakMap();
const of = part => abouts.get(part) ?? [];

// Lets a part say something, and say it again in another language when that is chosen.
export function tell(part, name, ...about) {
  part.dataset.say = name;
  abouts.set(part, about);
  part.textContent = say(name, ...about);
  return part;
}

// The same for its name to a screen reader. A part that has both says both about the same.
export function label(part, name, ...about) {
  part.dataset.label = name;
  abouts.set(part, about);
  part.setAttribute("aria-label", say(name, ...about));
  return part;
}

export function speak(chosen) {
  language = chosen in WORDS ? chosen : "en";
  localStorage.setItem("language", language);
  document.documentElement.lang = language;
  for (const part of document.querySelectorAll("[data-say]")) part.textContent = say(part.dataset.say, ...of(part));
  for (const part of document.querySelectorAll("[data-hint]")) part.placeholder = say(part.dataset.hint);
  for (const part of document.querySelectorAll("[data-label]")) part.setAttribute("aria-label", say(part.dataset.label, ...of(part)));
  document.getElementById("language").textContent = say("other");
  document.getElementById("language").lang = language === "en" ? "zh" : "en";
}

// Split a query into words, as search/index.py splits the pages.

export const HAN = "[\\u3400-\\u9fff\\uf900-\\ufaff]";
const WORD = new RegExp(`${HAN}+|(?:(?!${HAN})[\\p{L}\\p{N}_])+`, "gu");
const PAIR = new RegExp(`${HAN}{2}`);
const MOST = 64;

// Words that say nothing about the subject of a question.
const FILLERS = new Set(
  `a about all also although an and any are as at be because been but by can could
  did do does doing don find for from get got has have how i if in instead into is it
  its just like me my need no not of on or out should so still t than that the their
  then there these they this to use using vs was were what when where which while why
  will with would you your`.split(/\s+/),
);
const CHINESE_FILLERS = new RegExp(
  "[为是有]?什么|怎么[办样]?|为啥|如何|请问|哪[个些]|是否|能不能|有没有|可以|还是|一个|原因" +
    "|意思|[的了吗呢吧嘛啊和与是]",
  "g",
);

// Words of readers, and the words that the pages use instead.
const NAMES = [
  [/\bfreez/i, "frozen"],
  [/\bfrozen\b/i, "freeze"],
  [/\bgrad\b/i, "gradient"],
  [/batch ?norm|\bbn\b/i, "batch norm BatchNorm"],
  [/in-?place|就地/i, "原位"],
  [/weight ?decay/i, "权重衰减"],
  [/显存/, "内存"],
  [/叶子[节结]点/, "叶子张量"],
  [/中间(变量|结果)/, "运算结果 retain_grad"],
  [/清零/, "zero_grad"],
  [/词向量/, "嵌入 embedding"],
];

// Return the words to search for, in the order of the query.
export function wordsOf(query) {
  const text = messageIn(query);
  const words = cut(text);
  const specific = words.filter((word) => !FILLERS.has(word));
  const names = NAMES.filter(([pattern]) => pattern.test(text)).map(([, name]) => name);
  const all = [...(specific.length ? specific : words), ...cut(names.join(" "))];
  return [...new Set(all)].slice(0, MOST);
}

// Return the message at the end of a pasted traceback. Its numbers are removed, because
// they differ from those on the pages.
function messageIn(text) {
  const starts = [...text.matchAll(/\w+(?:Error|Exception|Warning): \S/g)];
  return text
    .slice(starts.at(-1)?.index ?? 0)
    .replace(/\b(?:0x[\da-f]+|\d+)\b/gi, " ")
    .replace(CHINESE_FILLERS, " ");
}

function cut(text) {
  return [...text.matchAll(WORD)].flatMap(([word]) =>
    PAIR.test(word)
      ? Array.from({ length: word.length - 1 }, (_, i) => word.slice(i, i + 2))
      : word.toLowerCase(),
  );
}

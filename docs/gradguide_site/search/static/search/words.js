// Split a query into words, as search/index.py splits the pages.

export const HAN = "[\\u3400-\\u9fff\\uf900-\\ufaff]";
const WORD = new RegExp(`${HAN}+|(?:(?!${HAN})[\\p{L}\\p{N}_])+`, "gu");
const PAIR = new RegExp(`${HAN}{2}`);
const ONE_HAN = new RegExp(`^${HAN}$`);
const MOST = 64;

// Words that say nothing about the subject of a question. Layers are on each page.
const FILLERS = new Set(
  `a about all also although an and any are as at be because been being between but by can
  could create created creating did difference different do does doing don enough find for from get got has have
  how i if in instead into is it its just like me my need no not of on only or out part
  possible should so some still sufficient t than that the their then there these they
  this to use using vs want was way well were what when where which while why will with
  would you your layer layers`.split(/\s+/),
);
const CHINESE_FILLERS = new RegExp(
  "[为是有]?什么|怎么[办样]*|为[啥何]|如何|请问|哪[个些]|是否|能不能|有没有|可以|还是|一个|原因" +
    "|意思|区别|每次|真的|一下|的?时候|之后|出来|拿去|里面|多少|有用|需要|应该" +
    "|[的了吗呢吧嘛啊和与是还会也就都又再把被里用我你]",
  "g",
);

// Words of readers, and the words that the pages use instead, in either language. A word
// that is on no page of a language is not found there, and changes nothing.
const NAMES = [
  [/\bfreez/i, "frozen 冻结"],
  [/\bfrozen\b/i, "freeze 冻结"],
  [/冻结/, "frozen"],
  [/unfreez|thaw|放开|解除冻结/i, "unfreeze 解冻"],
  [/keep.*(fixed|unchanged|constant)|保持.*不变/i, "frozen 冻结"],
  [/still (change|move|update)|还在(变|更新)/i, "stale step 残留梯度"],
  [/loss.*(not|n't) (chang|decreas)|loss.*不(变|动|下降|降)/i, "explain problems"],
  [/\blearn(?!ing rate)/i, "train"],
  [/验证|确认/, "对比前后"],
  [/\bgrad\b/i, "gradient"],
  [/梯度.*none|gradient.*none|grad is none/i, "explain"],
  [/flow|pass(es)? through|propagat|往前传|传到|回传|链式/i, "reach 传到"],
  [/zero_grad|清零/i, "accumulate 累加 zero_grad"],
  [/mask|掩码/i, "mask 掩码"],
  [/batch ?norm|(?<![a-z])bn(?![a-z])/i, "batch norm BatchNorm"],
  [/statistics|均值|方差/i, "running statistics 滑动统计量"],
  [/in-?place|就地|原地/i, "原位"],
  [/embedding|词向量/i, "rows 几行 嵌入"],
  [/entr(y|ies)|\brows?\b/i, "rows 几行"],
  [/\bweights?\b/i, "权重"],
  [/weight ?decay/i, "权重衰减"],
  [/\boptimi[sz]er/i, "优化器"],
  [/before or after|先.*(还是|再|后)/i, "order 顺序"],
  [/\.requires_grad *= *false/i, "typo attribute 属性"],
  [/filter|not pass|leave out|exclude|过滤|去掉|剔除|排除/i, "filter 过滤"],
  [/迁移学习|transfer learning/i, "骨干网络 backbone"],
  [/backbone|预训练|主干/i, "骨干网络"],
  [/\bhead\b|classifier|fully.connected|\bfc\b|last layer|全连接|最后一层|分类[头器层]/i, "head 头部"],
  [/\bcuda\b|显卡/i, "device"],
  [/\bmemory\b|\bv?ram\b|\boom\b|leak|显存|泄[漏露]/i, "memory 内存"],
  [/cop(y|ies)|拷贝/i, "copy 复制"],
  [/叶子[节结]点/, "叶子张量"],
  [/中间(变量|结果)/, "运算结果 retain_grad"],
  [/checkpointing|重计算|检查点/i, "checkpoint reentrant 检查点"],
  [/\bddp\b|distributed|multi.?gpu|多卡|分布式/i, "DDP"],
  [/\bamp\b|fp16|autocast|混合精度/i, "autocast GradScaler 混合精度"],
  [/int8|quanti|量化/i, "quantised 量化"],
  [/distill|蒸馏/i, "distillation 蒸馏 teacher 教师"],
  [/\bema\b|teacher|教师|[滑移]动平均/i, "EMA teacher 教师"],
  [/\b(a[23]c|ddpg|dqn|ppo|sac)\b|critic|reinforcement|强化学习/i, "critic advantage 评判网络"],
  [/byol|contrastive|siamese|simclr|stop.?grad|对比学习/i, "SimSiam 停止梯度"],
  [/wgan|gradient penalty|梯度惩罚/i, "create_graph penalty 惩罚"],
  [/\b(gru|lstm|rnn)\b|hidden state|隐藏?状态/i, "RNN state 状态"],
];

// Words of a query that is about a framework.
const FRAMEWORK = new RegExp(
  "accelerat|adapter|deepspeed|diffusers|factory|freeze_(llm|vi)|frozen_stages|grad_norm" +
    "|hugging|kohya|lightning|llava|lora|mmdet|peft|swift|target_modules|toggle" +
    "|train_type|trainable_parameters|trainer|transformers|ultralytics|yolo" +
    "|适配器|训练器|框架",
  "i",
);

const MESSAGE = /\w+(?:Error|Exception|Warning): \S/g;
const SHORTEST = 6; // words of a message, in a row, by which it is recognized
const LONGEST = 12;

// Return the names of the pages that explain a pasted error or warning, or undefined if
// the query is none. ``errors`` has the messages of each page, as slugs. The name of the
// page is a part of them, see errors/messages.py. The text may be cut in half, or begin in
// the middle. Other versions have other words, so most words of a name are enough.
export function errorsIn(query, errors) {
  const names = Object.keys(errors);
  const start = [...query.matchAll(MESSAGE)].at(-1)?.index;
  const text = slug(query.slice(start ?? 0));
  const said = slug(query.slice(start ?? 0).replace(/^\w+: /, ""));
  const whole = names.filter(
    (name) => text.includes(name) || (said.length > 20 && name.includes(said)),
  );
  const found = whole.length ? whole : sharing(said, errors);
  if (found.length || start === undefined) return found.length ? found : undefined;
  const words = new Set(text.split("_"));
  return names.filter((name) => {
    const parts = name.split("_");
    return parts.length > 4 && parts.filter((part) => words.has(part)).length > 0.8 * parts.length;
  });
}

// Return the names of the pages whose messages share the longest row of words with a text.
// Numbers are left out: they differ.
function sharing(text, errors) {
  const words = text.split("_").filter((word) => !/^\d*$/.test(word));
  for (let length = Math.min(LONGEST, words.length); length >= SHORTEST; length -= 1) {
    const rows = words
      .slice(0, words.length - length + 1)
      .map((_, first) => `_${words.slice(first, first + length).join("_")}_`);
    const found = Object.keys(errors).filter((name) =>
      errors[name].some((message) => rows.some((row) => message.includes(row))),
    );
    if (found.length) return found;
  }
  return [];
}

// Return the names of the pages of errors that a question means: it has each word of the
// name that says something, or four words of the name in a row.
export function errorsNamedIn(query, errors) {
  const said = slug(query).split("_");
  const saying = (words) => words.filter((word) => !FILLERS.has(word));
  return Object.keys(errors).filter((name) => {
    const parts = saying(name.split("_"));
    const inRow = (_, first) => {
      const row = said.slice(first, first + 4);
      return saying(row).length > 1 && row.length > 3 && `_${name}_`.includes(`_${row.join("_")}_`);
    };
    return (parts.length > 2 && parts.every((part) => said.includes(part))) || said.some(inRow);
  });
}

const slug = (text) =>
  text
    .toLowerCase()
    .replace(/['’]/g, "")
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/_$/, "");

// Return the word that a misspelt one was meant to be: the first that differs in one
// letter, or in two of a long word.
export function corrected(word, known) {
  const far = word.length > 7 ? 2 : 1;
  for (let distance = 1; distance <= far; distance += 1) {
    const near = known.find((other) => differs(word, other, distance));
    if (near) return near;
  }
}

// Whether a word becomes another one by at most this many steps: a letter is left out,
// added or replaced, or two adjacent ones change places.
function differs(word, other, most) {
  if (Math.abs(word.length - other.length) > most) return false;
  let [before, row] = [[], Array.from({ length: other.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= word.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const replaced = row[j - 1] + (word[i - 1] === other[j - 1] ? 0 : 1);
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, replaced);
      if (i > 1 && j > 1 && word[i - 1] === other[j - 2] && word[i - 2] === other[j - 1])
        next[j] = Math.min(next[j], before[j - 2] + 1);
    }
    [before, row] = [row, next];
  }
  return row[other.length] <= most;
}

export function namesFramework(query) {
  return FRAMEWORK.test(query);
}

// Return the words to search for, in the order of the query.
export function wordsOf(query) {
  const text = messageIn(query);
  const words = cut(text.replace(CHINESE_FILLERS, " "));
  const longer = words.filter((word) => !ONE_HAN.test(word)); // than one character
  const specific = longer.filter((word) => !FILLERS.has(word));
  const names = NAMES.filter(([pattern]) => pattern.test(text)).map(([, name]) => name);
  const found = [specific, longer, words].find(({ length }) => length) ?? [];
  return [...new Set([...found, ...cut(names.join(" "))])].slice(0, MOST);
}

// Return the message at the end of a pasted traceback. Its numbers are removed, because
// they differ from those on the pages.
function messageIn(text) {
  const starts = [...text.matchAll(MESSAGE)];
  return text
    .slice(starts.at(-1)?.index ?? 0)
    .replace(/\b(?:0x[\da-f]+|\d+)\b/gi, " ");
}

function cut(text) {
  return [...text.matchAll(WORD)].flatMap(([word]) =>
    PAIR.test(word)
      ? Array.from({ length: word.length - 1 }, (_, i) => word.slice(i, i + 2))
      : word.toLowerCase(),
  );
}

// Find and rank pages. The search runs in a worker, so that it does not block typing and
// Pagefind can't read the language of the page, by which it would split the query.
//
// Pagefind finds only pages that have all words of a query. A question or a pasted error
// has words that are on no page. So each word is looked up alone, and the scores that a
// page gets for each word are added.

import { options, search } from "../../pagefind/pagefind.js";
import { sectionsOf, shown } from "./excerpts.js";
import { corrected, errorsIn, errorsNamedIn, namesFramework, wordsOf } from "./words.js";

// Tuned on queries.toml and fresh_queries.toml of tests/browser. A small change of a value
// changes little.
const RANKING = {
  metaWeights: { title: 2 },
  pageLength: 0.8,
  termSaturation: 2,
  termSimilarity: 2,
};
const SIDE_BY_SIDE = 0.5; // score of two adjacent words, relative to their rarity
const FAINT = 0.1; // part of the best score below which a page is not shown
const OF_QUESTION = 0.4; // factor for pages of errors if the query is not an error
const OF_FRAMEWORK = 0.5; // factor for pages of frameworks if the query names none
const OF_SITE = 0.6; // factor for pages about the guide itself, and for the glossary
const MOST = 10;

// A word that may be misspelt: not a part of a name, such as x.backward or inputs2.
const WORD = /(?<![\w.])[A-Za-z]?[a-z_]{4,}(?!\w)/g;

const ROOT = new URL("../..", import.meta.url); // the pages of this language

const answers = new Map();
const known = fetch(new URL("pagefind/known.json", ROOT)).then((file) => file.json());

onmessage = async ({ data: { id, query, filters } }) => {
  try {
    postMessage({ id, ...(await find(query, filters)) });
  } catch (error) {
    postMessage({ id, error: String(error) });
  }
};

// Return the best pages, the number of all pages, and the number for each filter value.
// A filter has all its values and the chosen one, which may be empty.
// ``isUnknown`` says that the query is an error which no page explains.
async function find(query, filters) {
  await options({ ranking: RANKING }); // before any word is looked up
  const { errors, words } = await known;
  const explained = errorsIn(query, errors);
  const asked = explained ? query : await spelled(query, words);
  const factors = {
    error: explained ? 1 : OF_QUESTION,
    framework: namesFramework(query) ? 1 : OF_FRAMEWORK,
    site: OF_SITE,
  };
  const named = explained ?? errorsNamedIn(query, errors);
  const ranked = await rank(wordsOf(asked), named, factors);
  const pagesByValue = new Map();
  for (const value of filters.flatMap(({ values }) => values))
    pagesByValue.set(value, await lookUp(`"0${value}"`)); // see search/index.py
  const only = (pages, value) =>
    value ? pages.filter(({ id }) => pagesByValue.get(value).has(id)) : pages;
  const filtered = (filters) =>
    filters.reduce((pages, { chosen }) => only(pages, chosen), ranked);

  const counts = filters.flatMap((filter) => {
    const others = filtered(filters.filter((other) => other !== filter));
    return filter.values.map((value) => [value, withoutFaint(only(others, value)).length]);
  });
  const pages = withoutFaint(filtered(filters));
  const best = pages.slice(0, MOST);
  return {
    pages: await Promise.all(best.map((page) => present(page, pagesByValue))),
    total: pages.length,
    counts,
    isUnknown: explained?.length === 0,
  };
}

// Correct the words of a question that are on no page, before words.js looks for others
// that mean the same.
async function spelled(query, vocabulary) {
  const meant = new Map();
  for (const [word] of query.matchAll(WORD)) {
    const lower = word.toLowerCase();
    if (!(await pagesWith(lower)).size) meant.set(word, corrected(lower, vocabulary));
  }
  return query.replace(WORD, (word) => meant.get(word) ?? word);
}

// ``factors`` has a factor for each kind of pages that search/index.py marks.
async function rank(words, errors, factors) {
  const { size } = await lookUp(null); // null finds all pages
  const scored = new Map();
  let previous;
  for (const word of words) {
    const pages = await pagesWith(word);
    const rarity = Math.log(1 + (size - pages.size + 0.5) / (pages.size + 0.5));
    for (const [id, result] of pages) {
      if (!scored.has(id)) scored.set(id, { id, result, score: 0, hits: [] });
      const page = scored.get(id);
      page.score += result.score;
      const places = new Set(previous?.pages.get(id)?.words);
      if (result.words.some((place) => places.has(place - 1)))
        page.score += SIDE_BY_SIDE * (rarity + previous.rarity);
      for (const place of result.words) page.hits.push({ word, place, rarity });
    }
    previous = { pages, rarity };
  }
  const best = Math.max(1, ...[...scored.values()].map(({ score }) => score));
  for (const [kind, factor] of Object.entries(factors))
    for (const id of (await lookUp(`"0${kind}"`)).keys())
      if (scored.has(id)) scored.get(id).score *= factor;
  for (const name of errors ?? [])
    for (const [id, result] of await lookUp(`"0${name}"`)) {
      if (!scored.has(id)) scored.set(id, { id, result, score: 0, hits: [] });
      scored.get(id).score += best; // above all pages that only have its words
    }
  return [...scored.values()].sort((a, b) => b.score - a.score);
}

function withoutFaint(ranked) {
  return ranked.filter(({ score }) => score >= FAINT * ranked[0].score);
}

// Return the pages that have a word, or a word that begins with it. Pagefind answers a
// query for an unknown word with the results of a shorter one, which are dropped.
async function pagesWith(word) {
  const pages = await lookUp(word);
  const isKnown = (await lookUp(`"${word}"`)).size || (await isPrefix(word, pages));
  return isKnown ? pages : new Map();
}

async function isPrefix(word, pages) {
  for (const result of pages.values()) {
    const { content } = await result.data();
    const stem = word.length > 5 ? word.slice(0, -2) : word;
    return content.split(" ")[result.words[0]]?.toLowerCase().includes(stem);
  }
}

function lookUp(term) {
  const ask = async () => {
    const { results } = await search(term);
    return new Map(results.map((result) => [result.id, result]));
  };
  if (!answers.has(term)) answers.set(term, ask());
  return answers.get(term);
}

async function present({ id, result, hits }, pagesByValue) {
  const { anchors, content, meta, raw_url } = await result.data();
  const url = new URL(decodeURIComponent(raw_url).slice(1), ROOT);
  return {
    url: url.href,
    title: shown(meta.title),
    filters: [...pagesByValue.keys()].filter((value) => pagesByValue.get(value).has(id)),
    sections: sectionsOf({ anchors, content, url }, hits),
  };
}

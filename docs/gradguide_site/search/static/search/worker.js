// Find pages. A worker, so that typing never waits for it; and in a worker Pagefind
// can't see the language of the page, by which it would cut a query in its own way.
//
// Pagefind wants every word on a page. A question or a pasted error has words that no
// page has, so each word is looked up alone, and what the words say of a page is added.

import { options, search } from "../../pagefind/pagefind.js";
import { sectionsOf, shown } from "./excerpts.js";
import { wordsOf } from "./words.js";

// Found by measuring tests/browser/queries.toml; none of them is near an edge.
const RANKING = {
  metaWeights: { title: 2 },
  pageLength: 0.5,
  termSaturation: 2,
  termSimilarity: 2,
};
const SIDE_BY_SIDE = 0.5; // what two words in a row are worth, to two words apart
const FAINT = 0.1; // a page of less than this part of the best score is not shown
const MOST = 10;

const ROOT = new URL("../..", import.meta.url); // the pages of this language

const answers = new Map();

onmessage = async ({ data: { id, query, filters } }) => {
  try {
    postMessage({ id, ...(await find(query, filters)) });
  } catch (error) {
    postMessage({ id, error: String(error) });
  }
};

// Return the best pages, how many there are, and how many each filter would leave. A
// filter has the values that a page can have, and perhaps the one that it must have.
async function find(query, filters) {
  const ranked = await rank(wordsOf(query));
  const having = new Map();
  for (const value of filters.flatMap(({ values }) => values))
    having.set(value, await lookUp(`"0${value}"`)); // the word that stands for it
  const only = (pages, value) =>
    value ? pages.filter(({ id }) => having.get(value).has(id)) : pages;

  const counts = filters.flatMap(({ values }, place) => {
    const others = filters.filter((_, other) => other !== place);
    const open = others.reduce((pages, { chosen }) => only(pages, chosen), ranked);
    return values.map((value) => [value, withoutFaint(only(open, value)).length]);
  });
  const left = filters.reduce((pages, { chosen }) => only(pages, chosen), ranked);
  const pages = withoutFaint(left);
  return {
    pages: await Promise.all(pages.slice(0, MOST).map((page) => present(page, having))),
    total: pages.length,
    counts,
  };
}

async function rank(words) {
  await options({ ranking: RANKING });
  const { size } = await lookUp(null); // finds all pages
  const found = new Map();
  let before;
  for (const word of words) {
    const pages = await pagesWith(word);
    const rarity = Math.log(1 + (size - pages.size + 0.5) / (pages.size + 0.5));
    for (const [id, result] of pages) {
      if (!found.has(id)) found.set(id, { id, result, score: 0, hits: [] });
      const page = found.get(id);
      page.score += result.score;
      const places = new Set(before?.pages.get(id)?.words);
      if (result.words.some((place) => places.has(place - 1)))
        page.score += SIDE_BY_SIDE * (rarity + before.rarity);
      for (const place of result.words) page.hits.push({ word, place, rarity });
    }
    before = { pages, rarity };
  }
  return [...found.values()].sort((one, other) => other.score - one.score);
}

function withoutFaint(ranked) {
  return ranked.filter(({ score }) => score >= FAINT * ranked[0].score);
}

// Return the pages that have a word, or one that begins with it. For a word that it
// doesn't know, Pagefind answers with a shorter one.
async function pagesWith(word) {
  const pages = await lookUp(word);
  const isKnown = (await lookUp(`"${word}"`)).size || (await isBegun(word, pages));
  return isKnown ? pages : new Map();
}

async function isBegun(word, pages) {
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

async function present({ id, result, hits }, having) {
  const { anchors, content, meta, raw_url } = await result.data();
  const url = new URL(decodeURIComponent(raw_url).slice(1), ROOT);
  return {
    url: url.href,
    title: shown(meta.title),
    filters: [...having.keys()].filter((value) => having.get(value).has(id)),
    sections: sectionsOf({ anchors, content, url }, hits),
  };
}

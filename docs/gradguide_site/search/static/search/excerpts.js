// Choose the sections of a page that match a query best, and an excerpt of each in
// which the words are marked.

import { HAN } from "./words.js";

const JOINT = "|~"; // search/index.py inserts it between two words
const HAN_PAIR = new RegExp(`^${HAN}{2}(?:\\|~)?$`);
const LEAD = 8; // tokens of an excerpt before the first hit
const LENGTH = 180; // columns of an excerpt; a Chinese character takes two
const MOST = 3; // sections shown of a page

// A hit has a word of the query, its place on the page, and its rarity.
export function sectionsOf({ anchors, content, url }, hits) {
  const tokens = content.split(" ");
  const marked = new Set(hits.flatMap(placesOf));
  const sections = divide(anchors, tokens.length).map((section) => {
    const inside = hits.filter(isWithin(section.start, section.end));
    return { ...section, hits: inside, worth: worthOf(inside) };
  });
  sections.sort((a, b) => b.worth - a.worth);
  return sections
    .filter(({ worth }) => worth > 0 && worth >= sections[0].worth / 2)
    .slice(0, MOST)
    .map(({ anchor, heading, body, end, hits }) => ({
      url: anchor && new URL(`#${anchor}`, url).href,
      heading: shown(heading),
      excerpt: excerptOf(tokens, marked, hits, body, end),
    }));
}

// Return a text as it was before search/index.py split it.
export function shown(text) {
  return text.split(" ").map(shownToken).join("").trim();
}

function shownToken(token) {
  if (!token.endsWith(JOINT)) return token + " ";
  return HAN_PAIR.test(token) ? token[0] : token.slice(0, -JOINT.length);
}

// Divide a page at its headings. The first is the title, which needs no anchor.
function divide(anchors, length) {
  const headings = anchors.filter(({ element }) => /^h\d$/.test(element));
  headings.sort((a, b) => a.location - b.location);
  return headings.map(({ id, location, text }, place) => ({
    anchor: place ? id : "",
    heading: place ? text : "",
    start: location,
    body: location + text.split(" ").length,
    end: headings[place + 1]?.location ?? length,
  }));
}

function isWithin(start, end) {
  return ({ place }) => place >= start && place < end;
}

// The characters of a pair are in two tokens, each of which shows its first one.
function placesOf({ place, word }) {
  return HAN_PAIR.test(word) ? [place, place + 1] : [place];
}

function worthOf(hits) {
  const rarities = new Map(hits.map(({ word, rarity }) => [word, rarity]));
  return [...rarities.values()].reduce((sum, rarity) => sum + rarity, 0);
}

// Return the pieces of the excerpt that has the most hits, marked or not.
function excerptOf(tokens, marked, hits, start, end) {
  let best = { from: start, to: reach(tokens, start, end), worth: 0 };
  for (const { place } of hits.filter(isWithin(start, end))) {
    const from = Math.max(start, place - LEAD);
    const to = reach(tokens, from, end);
    const worth = worthOf(hits.filter(isWithin(from, to)));
    if (worth > best.worth) best = { from, to, worth };
  }
  const pieces = [{ text: best.from > start ? "… " : "", isMarked: false }];
  const add = (text, isMarked) => {
    if (pieces.at(-1).isMarked === isMarked) pieces.at(-1).text += text;
    else if (text) pieces.push({ text, isMarked });
  };
  for (let place = best.from; place < best.to; place++) {
    const [, before, word, after] = shownToken(tokens[place]).match(
      /^([^\p{L}\p{N}_]*)(.*?)([^\p{L}\p{N}_]*)$/su,
    );
    add(before, false);
    add(word, marked.has(place) && word !== "");
    add(after, false);
  }
  if (best.to < end) add("…", false);
  return pieces;
}

// Return the place after the last token that fits in an excerpt.
function reach(tokens, from, end) {
  let width = 0;
  let place = from;
  while (place < end && width < LENGTH) {
    for (const letter of shownToken(tokens[place])) width += letter > "\u2e80" ? 2 : 1;
    place++;
  }
  return place;
}

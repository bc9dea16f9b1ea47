// Choose what to show of a page: the sections that have most of the words, each with
// the lines that have most of them, and the words marked.

import { HAN } from "./words.js";

const JOINT = "|~"; // what search/index.py puts between two words
const HAN_PAIR = new RegExp(`^${HAN}{2}(?:\\|~)?$`);
const LEAD = 8; // tokens before the first that is marked
const LENGTH = 180; // of an excerpt, in letters; a Chinese character is as wide as two
const MOST = 3; // sections of a page

// A hit is a word that was looked for, its place on the page, and how rare it is.
export function sectionsOf({ anchors, content, url }, hits) {
  const tokens = content.split(" ");
  const marked = new Set(hits.flatMap(placesOf));
  const sections = divide(anchors, tokens.length).map((section) => {
    const own = hits.filter(isWithin(section.start, section.end));
    return { ...section, hits: own, worth: worthOf(own) };
  });
  sections.sort((one, other) => other.worth - one.worth);
  return sections
    .filter(({ worth }) => worth > 0 && worth >= sections[0].worth / 2)
    .slice(0, MOST)
    .map(({ anchor, heading, body, end, hits }) => ({
      url: anchor && new URL(`#${anchor}`, url).href,
      heading: shown(heading),
      excerpt: excerptOf(tokens, marked, hits, body, end),
    }));
}

// Return a text as it was before search/index.py cut it.
export function shown(text) {
  return text.split(" ").map(shownToken).join("").trim();
}

function shownToken(token) {
  if (!token.endsWith(JOINT)) return token + " ";
  return HAN_PAIR.test(token) ? token[0] : token.slice(0, -JOINT.length);
}

// The first heading is the title of the page, and needs no anchor.
function divide(anchors, length) {
  const headings = anchors.filter(({ element }) => /^h\d$/.test(element));
  headings.sort((one, other) => one.location - other.location);
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

// A pair of characters is shown by two tokens, each of which shows its first.
function placesOf({ place, word }) {
  return HAN_PAIR.test(word) ? [place, place + 1] : [place];
}

function worthOf(hits) {
  const rarities = new Map(hits.map(({ word, rarity }) => [word, rarity]));
  return [...rarities.values()].reduce((sum, rarity) => sum + rarity, 0);
}

// Return pieces of text, marked or not.
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

// Return the place up to which tokens fit in an excerpt.
function reach(tokens, from, end) {
  let width = 0;
  let place = from;
  while (place < end && width < LENGTH) {
    for (const letter of shownToken(tokens[place])) width += letter > "\u2e80" ? 2 : 1;
    place++;
  }
  return place;
}

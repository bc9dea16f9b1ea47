// Start Pagefind's interface with the query that the search box of a page sent here.
// A query is cut into words where docs/pipeline/search.py cuts the pages; the file name
// and line before a pasted warning are the reader's own and are left out.
const cut =
  /(?<=[\u4e00-\u9fff])(?=\S)|(?<=\S)(?=[\u4e00-\u9fff])|[_.()=[\],:/]/g;
const search = new PagefindUI({
  element: "#search",
  autofocus: true,
  excerptLength: 50,
  processTerm: (term) => term.replace(/^\S+:\d+: /, "").replace(cut, " "),
  resetStyles: false,
  showImages: false,
  showSubResults: true,
});
const query = new URLSearchParams(location.search).get("q");
if (query) search.triggerSearch(query);

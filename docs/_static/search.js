// Start Pagefind's interface with the query that the search box of a page sent here.
const search = new PagefindUI({
  element: "#search",
  showImages: false,
  showSubResults: true,
  resetStyles: false,
  autofocus: true,
});
const query = new URLSearchParams(location.search).get("q");
if (query) search.triggerSearch(query);

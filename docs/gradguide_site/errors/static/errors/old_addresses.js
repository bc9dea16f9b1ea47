// Go on from the old address of an error, errors.html#anchor, to its page.
const old = location.hash && document.getElementById(location.hash.slice(1));
if (old && old.closest("ul.errors")) {
  location.replace(old.querySelector("a").href);
}

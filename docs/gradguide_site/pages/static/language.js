// Remember the language that a reader switches to, for the root page, which chooses one.
// Keep the section: the one in the address, or the one that is being read.
const sections = [...document.querySelectorAll("article section section[id]")];
for (const link of document.querySelectorAll(".language-link")) {
  link.addEventListener("click", () => {
    const read = sections.findLast(
      (section) => section.getBoundingClientRect().top < innerHeight / 2,
    );
    const isMoved = scrollY > innerHeight / 2;
    link.hash = location.hash || (isMoved && read ? read.id : "");
    try {
      localStorage.setItem("language", link.hreflang);
    } catch {
      // Nothing may be kept here: the root page goes by the browser's languages.
    }
  });
}

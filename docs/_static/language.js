// Keep the section when a reader goes to the same page in another language: the one in
// the address, or the one that is being read.
const sections = [...document.querySelectorAll("article section section[id]")];
for (const link of document.querySelectorAll(".language-link")) {
  link.addEventListener("click", () => {
    const read = sections.findLast(
      (section) => section.getBoundingClientRect().top < innerHeight / 2,
    );
    const isMoved = scrollY > innerHeight / 2;
    link.hash = location.hash || (isMoved && read ? read.id : "");
  });
}

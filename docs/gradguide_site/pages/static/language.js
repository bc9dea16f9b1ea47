// Store the chosen language for the root page, which redirects to it. Link to the same
// section in the other language: the one in the address, or the one in view.
const sections = [...document.querySelectorAll("article section section[id]")];
for (const link of document.querySelectorAll(".language-link")) {
  link.addEventListener("click", () => {
    const inView = sections.findLast(
      (section) => section.getBoundingClientRect().top < innerHeight / 2,
    );
    const isScrolled = scrollY > innerHeight / 2;
    link.hash = location.hash || (isScrolled && inView ? inView.id : "");
    try {
      localStorage.setItem("language", link.hreflang);
    } catch {
      // Storage is blocked: the root page uses the languages of the browser.
    }
  });
}

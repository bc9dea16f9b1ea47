// Keep the section when a reader goes to the same page in another language.
for (const link of document.querySelectorAll(".language-link")) {
  link.addEventListener("click", () => {
    link.hash = location.hash;
  });
}

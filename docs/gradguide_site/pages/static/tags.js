// Show only the cards of the gallery that have a tag. The tag is in the address, so that
// a filtered gallery can be shared, and stays filtered after a reload.
const filter = document.querySelector(".tags");
const cards = [...document.querySelectorAll("[data-tags]")];
const chapters = document.querySelectorAll("article section section");

function show(tag) {
  for (const card of cards) {
    card.hidden = tag && !card.dataset.tags.split(" ").includes(tag);
  }
  for (const chapter of chapters) {
    chapter.hidden = !chapter.querySelector("[data-tags]:not([hidden])");
  }
  for (const button of filter.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", button.textContent === tag);
  }
  filter.querySelector("output").value = cards.filter((card) => !card.hidden).length;
}

if (filter) {
  filter.addEventListener("click", ({ target }) => {
    if (target.tagName !== "BUTTON") return;
    const isOn = target.getAttribute("aria-pressed") === "true";
    const address = new URL(location.href);
    if (isOn) address.searchParams.delete("tag");
    else address.searchParams.set("tag", target.textContent);
    history.replaceState(null, "", address);
    show(isOn ? null : target.textContent);
  });
  show(new URLSearchParams(location.search).get("tag"));
}

// Open and close the search. panel.js is loaded when the search is first opened.
{
  const panel = document.querySelector(".search");
  const dialog = panel.closest("dialog"); // null on the search page
  const field = panel.querySelector(".search-field");
  const source = new URL("panel.js", document.currentScript.src);

  let script;
  const load = () => {
    if (script) return;
    script = document.createElement("script");
    script.src = source;
    document.head.append(script);
  };

  const open = (query) => {
    if (dialog && !dialog.open) dialog.showModal();
    load();
    field.focus();
    if (query) {
      field.value = query;
      field.dispatchEvent(new InputEvent("input"));
    }
    field.select();
  };

  const onKey = (event) => {
    const { altKey, ctrlKey, key, metaKey, target } = event;
    const isTyping =
      target.isContentEditable || target.matches?.("input, select, textarea");
    const isSlash = key === "/" && !isTyping && !(altKey || ctrlKey || metaKey);
    const isK = key.toLowerCase() === "k" && !altKey && (ctrlKey || metaKey);
    if (!isSlash && !isK) return;
    event.preventDefault();
    open();
  };
  addEventListener("keydown", onKey);

  if (dialog) {
    const sidebar = document.querySelector(".sidebar-search-container");
    sidebar.addEventListener("submit", (event) => {
      event.preventDefault();
      open(sidebar.elements.q.value);
    });
    for (const opener of document.querySelectorAll(".search-open, .sidebar-search"))
      opener.addEventListener("click", () => open());

    dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault(); // the first Escape would only clear the field
      dialog.close();
    });
    dialog.addEventListener("click", ({ ctrlKey, metaKey, shiftKey, target }) => {
      const isLeaving = target.closest("a") && !(ctrlKey || metaKey || shiftKey);
      const isDone = target === dialog || target.closest(".search-close");
      if (isDone || isLeaving) dialog.close();
    });
  } else {
    open(new URLSearchParams(location.search).get("q"));
  }
}

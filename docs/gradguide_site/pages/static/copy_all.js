// Copy the code of all cells of a page, without its outputs.
for (const button of document.querySelectorAll(".copy-all")) {
  const words = button.textContent;
  button.addEventListener("click", async () => {
    const cells = document.querySelectorAll("article .highlight-Python pre");
    const code = [...cells].map((cell) => cell.textContent.trimEnd() + "\n");
    await navigator.clipboard.writeText(code.join("\n"));
    button.textContent = button.dataset.done;
    setTimeout(() => (button.textContent = words), 2000);
  });
}

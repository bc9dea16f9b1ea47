// Copy the code of all cells of a page, without their outputs.
for (const button of document.querySelectorAll(".copy-all")) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const cells = document.querySelectorAll("article .highlight-Python pre");
    const code = [...cells].map((cell) => cell.textContent.trimEnd() + "\n");
    await navigator.clipboard.writeText(code.join("\n"));
    button.textContent = button.dataset.done;
    setTimeout(() => (button.textContent = label), 2000);
  });
}

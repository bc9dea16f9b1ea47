document.documentElement.classList.remove("no-js"); // show the elements that need scripts

// Apply the stored theme. Furo's button changes it.
try {
  document.body.dataset.theme = localStorage.getItem("theme") || "auto";
} catch {
  document.body.dataset.theme = "auto"; // storage is blocked
}

// A button beside each text to copy, where the browser can; without this script one selects it.
"use strict";

{
  document.documentElement.classList.add("motia-can-copy");

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-motia-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.motiaCopy);
    const label = button.textContent;
    text.select();
    try {
      await navigator.clipboard.writeText(text.value);
    } catch {
      document.execCommand("copy");
    }
    button.textContent = button.dataset.motiaCopied;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

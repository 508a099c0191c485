/* A button beside each text to copy, where the browser can; without this script one selects it. */
"use strict";

for (const button of document.querySelectorAll("button[data-motia-copy]")) {
    const text = document.getElementById(button.dataset.motiaCopy);
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
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

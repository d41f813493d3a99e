// Light or dark: as the system says, until the player says otherwise.

const KEPT = "latido-theme";
const system = matchMedia("(prefers-color-scheme: light)");

export function dressed() {
  return document.documentElement.dataset.theme ?? (system.matches ? "light" : "dark");
}

export function listenToTheme(button, changed) {
  const wear = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    button.setAttribute("aria-label", `Switch to ${dressed() === "light" ? "dark" : "light"}`);
    changed();
  };
  wear(localStorage.getItem(KEPT));
  button.addEventListener("click", () => {
    const theme = dressed() === "light" ? "dark" : "light";
    localStorage.setItem(KEPT, theme);
    wear(theme);
  });
  system.addEventListener("change", () => wear(localStorage.getItem(KEPT)));
}

// Finds what the Tab key should reach, and notes what it reached and how that looked.
() => {
  const wanted = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const looks = (element) => {
    const style = getComputedStyle(element);
    return [style.outlineStyle, style.outlineWidth, style.boxShadow, style.borderColor, style.backgroundColor,
      style.color, style.textDecorationLine].join();
  };
  document.querySelectorAll("[data-motia-live]").forEach((each) => delete each.dataset.motiaLive);
  document.activeElement.blur();
  document.getAnimations().forEach((each) => each.finish());
  const reachable = [...document.querySelectorAll(wanted)].filter((each) =>
    !each.disabled && each.tabIndex >= 0 && each.checkVisibility({ visibilityProperty: true }));
  const before = new Map(reachable.map((each) => [each, looks(each)]));
  const reached = new Map();
  window.keyboard = {
    note() {
      const element = document.activeElement;
      reached.set(element, reached.get(element) || looks(element) !== before.get(element));
    },
    missed() {
      return reachable.filter((each) => !reached.get(each))
        .map((each) => `${reached.has(each) ? "no visible focus" : "not reached"}: ${each.outerHTML.slice(0, 150)}`);
    },
  };
  const fields = reachable.filter((each) => /^(date|time|month|week)/.test(each.type)).length;
  return reachable.length + 1 + 7 * fields;
}

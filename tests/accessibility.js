// What matters of an accessibility audit, on the page as a reader has it: a list of complaints, empty when all is well.
(() => {
  const complaints = [];
  const say = (rule, element, why) =>
    complaints.push(`${rule}: ${why} <${element.tagName.toLowerCase()} ${element.className?.baseVal ?? element.className} ${element.textContent.trim().slice(0, 40)}>`);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const name = (element) => {
    const by = element.getAttribute("aria-labelledby");
    if (by) return by.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
    const label = element.labels?.length ? element.labels[0].textContent : "";
    return (element.getAttribute("aria-label") ?? label ?? "").trim() || element.textContent.trim();
  };
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true });

  // The document.
  if (!document.documentElement.lang) complaints.push("document: no language");
  if (!document.title.trim()) complaints.push("document: no title");
  if (all("main").length !== 1) complaints.push("landmarks: there must be one main");
  for (const tag of ["header", "footer"])
    if (!all(`body > ${tag}`).length) complaints.push(`landmarks: no ${tag} of the page`);
  const ids = all("[id]").map((element) => element.id);
  for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at))) complaints.push(`ids: ${id} is there twice`);
  for (const link of all('a[href^="#"]'))
    if (!document.getElementById(link.getAttribute("href").slice(1))) say("links", link, "leads nowhere");

  // Names: of whatever can be reached or is a picture.
  for (const element of all("a[href], summary, input, button, select, svg[role=img], nav, main > section, form"))
    if (element.tagName !== "svg" ? !(element.matches("nav, section, form") ? element.getAttribute("aria-label") || element.getAttribute("aria-labelledby") && name(element) : name(element)) : !element.getAttribute("aria-label"))
      say("names", element, "has no name");
  for (const svg of all("svg"))
    if (svg.getAttribute("role") !== "img" && !svg.closest("[aria-hidden=true]")) say("names", svg, "is neither named nor hidden");
  for (const element of all("[tabindex]")) if (element.tabIndex > 0) say("focus", element, "has a place in the order of its own");
  for (const element of all("[aria-hidden=true]"))
    if (element.querySelector("a[href], button, input, summary")) say("focus", element, "is hidden and can be reached");
  const navs = all("nav").map((nav) => nav.getAttribute("aria-label"));
  if (new Set(navs).size !== navs.length && !document.querySelector(".pages")) complaints.push("landmarks: two navigations of one name");

  // Headings go down one step at a time, and there is one at the top.
  let level = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) say("headings", heading, `h${next} after h${level}`);
    if (!heading.textContent.trim()) say("headings", heading, "is empty");
    level = next;
  }
  if (all("h1").length !== 1) complaints.push("headings: there must be one h1");

  // Tables: a caption, and heads that say what they head.
  for (const table of all("table")) {
    if (!table.caption?.textContent.trim()) say("tables", table, "has no caption");
    if (!table.tHead) say("tables", table, "has no head");
    for (const head of table.querySelectorAll("th")) {
      if (!head.scope) say("tables", head, "has no scope");
      if (!head.textContent.trim()) say("tables", head, "is empty");
    }
    const widths = new Set([...table.rows].map((row) => row.cells.length));
    if (widths.size !== 1) say("tables", table, "has rows of different lengths");
  }
  for (const list of all("ul, ol"))
    if ([...list.children].some((child) => child.tagName !== "LI")) say("lists", list, "holds what is no item");
  for (const list of all("dl"))
    if ([...list.children].some((child) => !["DIV", "DT", "DD"].includes(child.tagName))) say("lists", list, "holds what is no term");

  // Contrast, of every text as it is drawn: 4.5 to 1, large text 3 to 1.
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = colour;
    probe.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = probe.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3]));
  const light = (colour) => {
    const [red, green, blue] = colour.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3]) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const judged = new Set();
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || judged.has(element) || !shown(element)) continue;
    if (element.closest(".hidden, .skip, svg, script, style")) continue;
    judged.add(element);
    texts += 1;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const [one, other] = [light(over(rgba(style.color), ground)), light(ground)];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) say("contrast", element, `${ratio.toFixed(2)} to 1`);
  }
  if (!texts) complaints.push("contrast: no text was judged");

  // Nothing is wider than the window, and what can be pointed at is large enough (24 by 24, or within a line of text).
  if (document.documentElement.scrollWidth > innerWidth) complaints.push(`width: ${document.documentElement.scrollWidth} in a window of ${innerWidth}`);
  for (const element of all("a.cell, summary, .filters label"))
    if (shown(element)) {
      const box = element.getBoundingClientRect();
      if (box.width < 20 || box.height < 24) say("targets", element, `${box.width.toFixed(0)} by ${box.height.toFixed(0)}`);
    }
  return complaints;
})();

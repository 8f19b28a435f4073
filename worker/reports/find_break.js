// A link to a break leads to report.html, whatever page the break stands on: go on to that page.
"use strict";
(() => {
  const go = () => {
    const id = location.hash.slice(1);
    if (!/^b-[0-9a-f]{16}$/.test(id) || document.getElementById(id)) return;
    const page = document.querySelector(`a[data-holds~="${id.slice(2, 10)}"]`);
    if (page) location.replace(`${page.getAttribute("href")}#${id}`);
  };
  addEventListener("hashchange", go);
  go();
})();

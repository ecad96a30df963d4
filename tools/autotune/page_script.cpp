// What moves on the page: the theme, the text of a dot under the pointer or the arrow keys, copying.
// Without it everything is still there to read. Strings of the log only ever become textContent.
#include "tools/autotune/page.h"

namespace tessera::autotune {

const char* const kPageScript = R"js(
(() => {
  'use strict';
  const root = document.documentElement, theme = document.getElementById('theme'), tip = document.getElementById('tip');
  const isDark = () => root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  const label = () => { theme.textContent = isDark() ? 'Light' : 'Dark'; theme.setAttribute('aria-label', theme.textContent + ' theme'); };
  const wanted = location.hash.slice(1);
  if (wanted === 'dark' || wanted === 'light') root.dataset.theme = wanted;
  theme.addEventListener('click', () => { root.dataset.theme = isDark() ? 'light' : 'dark'; label(); });
  label();

  let on = null;
  const hide = () => { tip.hidden = true; if (on) on.classList.remove('on'); on = null; };
  const show = dot => {
    if (on === dot) return;
    hide();
    on = dot;
    dot.classList.add('on');
    tip.textContent = dot.dataset.tip;
    tip.hidden = false;
    const at = dot.getBoundingClientRect(), size = tip.getBoundingClientRect(), gap = 8;
    const left = Math.min(Math.max(gap, at.left + at.width / 2 - size.width / 2), innerWidth - size.width - gap);
    tip.style.left = left + 'px';
    tip.style.top = (at.top - size.height - gap > 0 ? at.top - size.height - gap : at.bottom + gap) + 'px';
  };
  for (const chart of document.querySelectorAll('svg.chart')) {
    const dots = [...chart.querySelectorAll('[data-tip]')];
    const reach = 24;  // units of the picture
    chart.addEventListener('pointermove', e => {
      const p = new DOMPoint(e.clientX, e.clientY).matrixTransform(chart.getScreenCTM().inverse());
      let nearest = null, least = reach;
      for (const d of dots) {
        const far = Math.hypot(d.cx.baseVal.value - p.x, d.cy.baseVal.value - p.y);
        if (far < least) { least = far; nearest = d; }
      }
      nearest ? show(nearest) : hide();
    });
    chart.addEventListener('pointerleave', hide);
    chart.addEventListener('blur', hide);
    chart.addEventListener('keydown', e => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -dots.length, End: dots.length }[e.key];
      if (e.key === 'Escape') hide();
      if (!step || dots.length === 0) return;
      e.preventDefault();
      const from = dots.indexOf(on);
      show(dots[Math.min(Math.max(from < 0 ? (step > 0 ? 0 : dots.length - 1) : from + step, 0), dots.length - 1)]);
    });
  }
  addEventListener('scroll', hide, { passive: true });

  for (const pane of document.querySelectorAll('.pane')) {
    const code = pane.querySelector('pre'), button = pane.querySelector('.copy'), hot = pane.querySelector('mark');
    if (hot) code.scrollTop = Math.max(0, hot.offsetTop - code.offsetTop - 48);
    button.addEventListener('click', async () => {
      const selection = getSelection();
      let done = false;
      try { await navigator.clipboard.writeText(code.textContent); done = true; } catch {
        selection.selectAllChildren(code);  // pages opened from a file may not have the clipboard
        done = document.execCommand('copy');
      }
      button.textContent = done ? 'Copied' : 'Selected';
      setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    });
  }
})();
)js";

}  // namespace tessera::autotune

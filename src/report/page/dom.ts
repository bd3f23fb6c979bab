/** Elements in one call, the one tooltip of the page, and the clipboard. */

type Child = Node | string | null;
type Attributes = Record<string, string | number | undefined>;

function fill<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** An HTML element. */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

const tip = h('div', { id: 'tip', 'aria-hidden': 'true' });

/** Shows text beside a place of the window. */
export function showTip(text: string, x: number, y: number): void {
  tip.textContent = text;
  const { offsetWidth: width, offsetHeight: height } = tip;
  const left = Math.max(4, Math.min(x + 14, window.innerWidth - width - 4));
  const top = y + 18 + height > window.innerHeight ? y - height - 12 : y + 18;
  tip.style.left = `${left}px`;
  tip.style.top = `${Math.max(4, top)}px`;
  tip.style.visibility = 'visible';
}

export function hideTip(): void {
  tip.style.visibility = 'hidden';
}

/** Whatever has `data-tip` shows it under the pointer and when it has the focus. */
export function startTips(): void {
  document.body.append(tip);
  const textOf = (target: EventTarget | null) =>
    target instanceof Element ? target.closest('[data-tip]')?.getAttribute('data-tip') : undefined;
  document.addEventListener('pointermove', (event) => {
    if (event.target instanceof HTMLCanvasElement) return;
    const text = textOf(event.target);
    if (text) showTip(text, event.clientX, event.clientY);
    else hideTip();
  });
  document.addEventListener('focusin', ({ target }) => {
    if (!(target instanceof Element) || !target.matches(':focus-visible')) return;
    const text = textOf(target);
    const { left, bottom } = target.getBoundingClientRect();
    if (text) showTip(text, left + 40, bottom - 12);
    else hideTip();
  });
  document.addEventListener('focusout', hideTip);
  document.addEventListener('scroll', hideTip, { passive: true });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') hideTip();
  });
}

/** Copies text, also in a page opened from disk where the newer way may be refused. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h('textarea', { 'aria-label': 'to copy' });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

/** Calls `draw` with the element's width now and whenever it changes. */
export function onWidth(element: Element, draw: (width: number) => void): void {
  let last = 0;
  new ResizeObserver((entries) => {
    const width = Math.floor(entries[0]!.contentRect.width);
    if (width > 0 && width !== last) {
      last = width;
      draw(width);
    }
  }).observe(element);
}

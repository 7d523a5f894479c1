// A panel of fields that is drawn anew after every change, but never while something is being typed in it.

export const make = (tag, values = {}, ...children) => {
  const item = Object.assign(document.createElement(tag), values);
  item.append(...children);
  return item;
};

export class Panel {
  constructor(box) {
    this.box = box;
    box.addEventListener("input", () => { this.typing = true; });
    // Before the field's own work, which has the panel drawn.
    for (const name of ["change", "focusout"]) box.addEventListener(name, () => { this.typing = false; }, true);
  }

  // _parts(): what is in it, made anew; the focus stays at the field of the same name.
  draw() {
    const { box } = this, { activeElement } = document, within = box.contains(activeElement);
    if (box.hidden || (this.typing && within)) return;
    const name = within ? activeElement.name : "";
    box.replaceChildren(...this._parts());
    if (!name) return;
    const fields = [...box.querySelectorAll(`[name="${name}"]`)];
    (fields.find((field) => field.checked) || fields[0])?.focus({ preventScroll: true });
  }
}

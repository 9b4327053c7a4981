// Looks at the page in each frame. Says what a reader would see wrongly.

const LEAST_OF_TEXT = 4.5; // WCAG 2.2, 1.4.3
const LEAST_OF_GRAPHICS = 3; // WCAG 2.2, 1.4.11

function channels(colour) {
  const numbers = colour.match(/[\d.]+/g).map(Number);
  return { rgb: numbers.slice(0, 3), alpha: numbers.length > 3 ? numbers[3] : 1 };
}

// Relative luminance, as WCAG defines it.
function luminance(colour) {
  const [red, green, blue] = channels(colour).rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function background(view, element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = view.getComputedStyle(at).backgroundColor;
    if (channels(colour).alpha === 1) return colour;
  }
  return "no background";
}

const hasText = (element) =>
  [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== "");

function look(frame) {
  const page = frame.contentDocument;
  const view = frame.contentWindow;
  const wrong = [];
  const width = page.documentElement.clientWidth;
  if (page.documentElement.scrollWidth > width) wrong.push(`scrolls to ${page.documentElement.scrollWidth}`);
  const texts = [...page.body.querySelectorAll("*")].filter(hasText);
  for (const element of texts) {
    const style = view.getComputedStyle(element);
    const isDrawn = element instanceof view.SVGElement;
    const box = element.getBoundingClientRect();
    const name = `${element.tagName} ${element.textContent.trim().slice(0, 40)}`;
    if (box.left < 0 || box.right > width + 0.5) wrong.push(`leaves the page: ${name}`);
    if (box.width === 0 || box.height === 0) wrong.push(`has no size: ${name}`);
    if (parseFloat(style.fontSize) < 11) wrong.push(`too small: ${name}`);
    const back = background(view, element);
    const ratio = back === "no background" ? 0 : contrast(isDrawn ? style.fill : style.color, back);
    if (ratio < LEAST_OF_TEXT) wrong.push(`contrast ${ratio.toFixed(2)}: ${name}`);
  }
  for (const shape of page.querySelectorAll(".bar, .spread")) {
    const style = view.getComputedStyle(shape);
    const colour = shape.matches(".bar") ? style.fill : style.stroke;
    const ratio = contrast(colour, background(view, shape));
    if (ratio < LEAST_OF_GRAPHICS) wrong.push(`contrast ${ratio.toFixed(2)}: ${shape.getAttribute("class")}`);
  }
  for (const plot of page.querySelectorAll("svg")) {
    const boxes = [...plot.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
    boxes.forEach(([one, a], index) =>
      boxes.slice(index + 1).forEach(([other, b]) => {
        const isApart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
        if (!isApart) wrong.push(`overlap: ${one} and ${other}`);
      }),
    );
  }
  return {
    width,
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    back: view.getComputedStyle(page.body).backgroundColor,
    texts: texts.length,
    plots: page.querySelectorAll("svg").length,
    wrong,
  };
}

addEventListener("load", () => {
  const seen = [...document.querySelectorAll("iframe")].map(look);
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = encodeURIComponent(JSON.stringify(seen));
  document.body.replaceChildren(result);
});

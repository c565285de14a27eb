// Very many points on a canvas. Pixels are written one by one: no GPU is needed for that, and
// 100,000 points take some milliseconds, where as many calls of arc() take a second.

const LARGEST = 65535; // of a coordinate
const SHARPEST = 2; // device pixels a CSS pixel; more are not seen and take long
const CLOSEST = 400; // times the size at which all points fit
const NEAR = 14; // CSS pixels from a point that still mean it

export class Scatter {
  // x and y: Uint16Array, y upwards.
  constructor(canvas, x, y) {
    this.canvas = canvas;
    this.x = x;
    this.y = y;
    this.classes = new Uint8Array(x.length);
    this.palette = [{ colour: [128, 128, 128], square: false }];
    this.shown = () => true; // whether a class is drawn
    this.selected = null; // Uint8Array: others are faint
    this.emphasised = -1; // a class: others are faint
    this.faint = [200, 200, 200];
    this.ground = [255, 255, 255];
    this.order = shuffled(x.length);
    this.scale = 0;
  }

  // Takes the size of its element; where that was unknown, all points fit.
  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    if (!width || !height) return;
    this.width = width;
    this.height = height;
    this.sharp = Math.min(SHARPEST, window.devicePixelRatio || 1);
    this.canvas.width = Math.round(width * this.sharp);
    this.canvas.height = Math.round(height * this.sharp);
    const margin = Math.ceil(16 * this.sharp); // points at the edge need no other loop
    this.margin = margin;
    this.stride = this.canvas.width + 2 * margin;
    this.image = new ImageData(this.stride, this.canvas.height + 2 * margin);
    this.pixels = new Uint32Array(this.image.data.buffer);
    if (!this.scale) this.fit();
    this.draw();
  }

  get fitting() { return 0.94 * Math.min(this.width, this.height); }

  fit() {
    this.scale = this.fitting;
    this.left = (this.width - this.scale) / 2;
    this.top = (this.height - this.scale) / 2;
    this.draw();
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.#keepInSight();
    this.draw();
  }

  // What is at a place of the element stays there.
  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const scale = Math.min(CLOSEST * this.fitting, Math.max(0.5 * this.fitting, this.scale * factor));
    this.left = px - ((px - this.left) * scale) / this.scale;
    this.top = py - ((py - this.top) * scale) / this.scale;
    this.scale = scale;
    this.#keepInSight();
    this.draw();
  }

  // Some of the map is always seen.
  #keepInSight() {
    const least = 60;
    this.left = Math.min(this.width - least, Math.max(least - this.scale, this.left));
    this.top = Math.min(this.height - least, Math.max(least - this.scale, this.top));
  }

  // Where a point is on the element, in CSS pixels.
  place(index) {
    return [this.left + (this.x[index] / LARGEST) * this.scale, this.top + (1 - this.y[index] / LARGEST) * this.scale];
  }

  // Radius of points in CSS pixels: smaller where there are many, larger from nearby.
  get radius() {
    const room = Math.sqrt((this.width * this.height) / Math.max(1, this.x.length));
    const closer = Math.min(2.5, Math.max(1, this.scale / this.fitting) ** 0.4);
    return Math.min(8, Math.min(4, Math.max(1.1, room * 0.16)) * closer);
  }

  // The shown point nearest to a place of the element; -1 where none is near.
  nearest(px, py, within = NEAR) {
    let best = -1;
    let least = within * within;
    for (let index = 0; index < this.x.length; index += 1) {
      const dx = this.left + (this.x[index] / LARGEST) * this.scale - px;
      const dy = this.top + (1 - this.y[index] / LARGEST) * this.scale - py;
      const distance = dx * dx + dy * dy;
      if (distance < least && this.shown(this.classes[index])) {
        least = distance;
        best = index;
      }
    }
    return best;
  }

  // The shown points inside a polygon of [x, y], in CSS pixels of the element.
  inside(polygon) {
    const xs = polygon.map(([px]) => px);
    const ys = polygon.map(([, py]) => py);
    const [low, high, upper, lower] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const indices = [];
    for (let index = 0; index < this.x.length; index += 1) {
      const px = this.left + (this.x[index] / LARGEST) * this.scale;
      const py = this.top + (1 - this.y[index] / LARGEST) * this.scale;
      if (px < low || px > high || py < upper || py > lower || !this.shown(this.classes[index])) continue;
      let odd = false; // whether an odd number of edges is to the right of the point: then it is inside
      for (let at = 0, last = xs.length - 1; at < xs.length; last = at, at += 1) {
        if ((ys[at] > py) !== (ys[last] > py) && px < ((xs[last] - xs[at]) * (py - ys[at])) / (ys[last] - ys[at]) + xs[at]) odd = !odd;
      }
      if (odd) indices.push(index);
    }
    return indices;
  }

  // Draws before the next frame, once.
  draw() {
    if (this.waiting || !this.pixels) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.paint();
    });
  }

  paint() {
    this.pixels.fill(packed(this.ground));
    const isShown = this.palette.map((_, at) => this.shown(at));
    const sprites = this.palette.map(({ colour, square }) => sprite(colour, square, this.radius * this.sharp, this.stride));
    const faint = sprite(this.faint, false, this.radius * this.sharp, this.stride);
    const isFaint = (at) => this.emphasised >= 0 && this.emphasised !== at;
    if (this.selected || this.emphasised >= 0) {
      this.#stamp(isShown.map((shown, at) => (shown && (this.selected || isFaint(at)) ? faint : null)), null);
    }
    this.#stamp(isShown.map((shown, at) => (shown && !isFaint(at) ? sprites[at] : null)), this.selected);
    this.canvas.getContext("2d").putImageData(this.image, -this.margin, -this.margin);
  }

  // Writes the pixels of points: of some only, where these are given. One loop over local names,
  // since it runs a million times a frame.
  #stamp(sprites, some) {
    const { x, y, order, classes, pixels, stride, margin } = this;
    const { width, height } = this.canvas;
    const step = (this.scale * this.sharp) / LARGEST;
    const left = this.left * this.sharp + 0.5;
    const bottom = this.top * this.sharp + LARGEST * step + 0.5;
    for (let nth = 0; nth < order.length; nth += 1) {
      const index = order[nth];
      const stamp = sprites[classes[index]];
      if (stamp === null || (some !== null && some[index] === 0)) continue;
      const px = Math.floor(left + x[index] * step);
      const py = Math.floor(bottom - y[index] * step);
      if (px < 0 || py < 0 || px >= width || py >= height) continue;
      const middle = (py + margin) * stride + px + margin;
      const { whole, half, colour, halfColour } = stamp;
      for (let at = 0; at < whole.length; at += 1) pixels[middle + whole[at]] = colour;
      for (let at = 0; at < half.length; at += 1) {
        const place = middle + half[at];
        pixels[place] = (((pixels[place] >>> 1) & 0x7f7f7f) + halfColour) | 0xff000000;
      }
    }
  }
}

// As a signed number: those are written without a detour.
const packed = ([red, green, blue]) => 0xff000000 | (blue << 16) | (green << 8) | red;

// The pixels of a point from its middle: those it covers, and those it covers by half.
function sprite(rgb, square, radius, stride) {
  const colour = packed(rgb);
  const reach = Math.ceil(radius);
  const whole = [];
  const half = [];
  for (let dy = -reach; dy <= reach; dy += 1) {
    for (let dx = -reach; dx <= reach; dx += 1) {
      const distance = square ? Math.max(Math.abs(dx), Math.abs(dy)) * 1.13 : Math.hypot(dx, dy);
      if (distance <= radius - 0.25) whole.push(dy * stride + dx);
      else if (distance <= radius + 0.4) half.push(dy * stride + dx);
    }
  }
  return { colour, whole: Int32Array.from(whole), half: Int32Array.from(half), halfColour: (colour >>> 1) & 0x7f7f7f };
}

// All places in an order of chance, the same each time: the last class would hide the others.
function shuffled(count) {
  const order = Uint32Array.from({ length: count }, (_, at) => at);
  let state = 12345;
  for (let at = count - 1; at > 0; at -= 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (at + 1));
    [order[at], order[other]] = [order[other], order[at]];
  }
  return order;
}

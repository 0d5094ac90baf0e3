// RFC 8785 as JavaScript has it built in: one JSON document a line in, its canonical form out.
const lines = require("node:readline").createInterface({ input: process.stdin });

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  // Pairs, because an object would move keys that are whole numbers to its front.
  return { pairs: Object.keys(value).sort().map((key) => [key, sorted(value[key])]) };
}

function written(value) {
  if (Array.isArray(value)) return "[" + value.map(written).join(",") + "]";
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return "{" + value.pairs.map(([k, v]) => JSON.stringify(k) + ":" + written(v)).join(",") + "}";
}

lines.on("line", (line) => console.log(written(sorted(JSON.parse(line)))));

/** A report as one HTML file that needs nothing else: no network, no other file. */
import { pageScript, pageStyle } from './page.generated.ts';
import type { PageData } from './page-data.ts';

/** The page, UTF-8 text. Its own policy forbids it to load anything. */
export function reportPage(data: PageData): string {
  const names = [...new Set(data.runs.map((run) => `${run.model.name} on ${run.hardware.name}`))];
  // No sequence in the data may end the element it stands in.
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(names.join(', '))} · Condensim</title>
<style>${pageStyle}</style>
</head>
<body>
<noscript>This page draws its pictures with a script; the figures are in its JSON.</noscript>
<div id="page"></div>
<script type="application/json" id="data">${json}</script>
<script>${pageScript}</script>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

import { defineConfig, type Plugin } from 'vite';

// Also where a test builds it.
process.env['NODE_ENV'] = 'production';

/**
 * uPlot hangs all it can do on itself, which keeps it in the bundle: its other curves, and functions for its users. The
 * page draws lines.
 */
const unusedOfPlot =
  /^\s*\(?(?:paths\.(?:stepped|bars|spline)|uPlot\.(?:join|rangeLog|rangeAsinh|orient|addGap|clipGaps|fmtDate|tzDate))\s*=.*$/gm;

/** Its axes of dates and of logarithms, which the page has none of. When it starts, it prepares them all the same. */
const unusedAxesOfPlot =
  /^(function (?:genTimeStuffs|timeAxisStamps|timeAxisVals|timeAxisVal|timeSeriesStamp|timeSeriesVal|fmtDate|tzDate|logAxisSplits|asinhAxisSplits|log10AxisValsFilt|log2AxisValsFilt|snapLogY|snapAsinhY)\(.*\) \{)\n([\s\S]*?)^\}$/gm;

const withoutUnusedOfPlot: Plugin = {
  name: 'without-unused-of-uplot',
  transform: (code, id) => {
    if (!id.includes('/uplot/dist/') || !id.endsWith('.js')) return undefined;
    // Only whole lines become empty: the source map stays right.
    const shaken = code
      .replace(unusedOfPlot, '')
      .replace(
        unusedAxesOfPlot,
        (_, head: string, body: string) => `${head} return [, , () => {}];${body.replace(/.+/g, '')}\n}`,
      );
    return { code: shaken, map: null };
  },
};

/**
 * dagre comes with all algorithms of its graph library, as properties of objects, which keeps them in the bundle. It uses
 * two of them itself.
 */
const algorithms = /\b[\w$]+\(([\w$]+),\{((?:\w+:\(\)=>[\w$]+,?)+)\}\)/g;

const withoutUnusedOfDagre: Plugin = {
  name: 'without-unused-of-dagre',
  transform: (code, id) => {
    if (!id.includes('/dagre/dist/')) return undefined;
    const shaken = code.replace(algorithms, (_, name: string, entries: string) => {
      const used = entries.match(/\b(?:pre|post)order:\(\)=>[\w$]+/g) ?? [];
      return `${name}={${used.map((entry) => entry.replace('()=>', '')).join()}}`;
    });
    return { code: shaken, map: null };
  },
};

/** Builds the inspector's page. Relative addresses, so that it can be mounted below any path. */
export default defineConfig({
  root: 'src/inspector/page',
  base: './',
  publicDir: false,
  plugins: [withoutUnusedOfPlot, withoutUnusedOfDagre],
  build: {
    outDir: '../../../dist/inspector/page',
    emptyOutDir: true,
    target: 'es2022',
    // The content security policy allows no `data:` addresses.
    assetsInlineLimit: 0,
    modulePreload: false,
    cssCodeSplit: false,
    reportCompressedSize: true,
  },
});

import { defineConfig, type Plugin } from 'vite';

// Also where a test builds it.
process.env['NODE_ENV'] = 'production';

/**
 * uPlot hangs all it can do on itself, which keeps it in the bundle: its other curves, and functions for its users. The
 * page draws lines.
 */
const unusedOfPlot =
  /^\s*\(?(?:paths\.(?:stepped|bars|spline)|uPlot\.(?:join|rangeLog|rangeAsinh|orient|addGap|clipGaps))\s*=.*$/gm;

const withoutUnusedOfPlot: Plugin = {
  name: 'without-unused-of-uplot',
  transform: (code, id) => {
    if (!id.includes('/uplot/dist/') || !id.endsWith('.js')) return undefined;
    // Only whole lines become empty: the source map stays right.
    return { code: code.replace(unusedOfPlot, ''), map: null };
  },
};

/** Builds the inspector's page. Relative addresses, so that it can be mounted below any path. */
export default defineConfig({
  root: 'src/inspector/page',
  base: './',
  publicDir: false,
  plugins: [withoutUnusedOfPlot],
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

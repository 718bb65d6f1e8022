// What the scripts share. Arguments: address, folder for pictures, name=password of each person. One JSON line is printed for each
// thing seen.
import { createRequire } from 'node:module';
const { chromium } = createRequire(process.env.PLAYWRIGHT_FROM)('playwright-core');
export const [base, out, ...people] = process.argv.slice(2);
export const say = (what, is) => console.log(JSON.stringify({ what, is }));

export const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });

// person signs in with a browser of its own. Any script of a foreigner that runs, any dialogue and any refused load is told.
export async function person(word) {
  const [name, password] = word.split('=');
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, locale: 'zh-CN' });
  const page = await context.newPage();
  page.on('dialog', d => { say('dialog', d.message()); d.dismiss(); });
  page.on('console', m => { if (m.type() === 'error') say('console', m.text()); });
  page.on('pageerror', e => say('script error', String(e)));
  await page.goto(base + '/login');
  await page.fill('input[name=name]', name);
  await page.fill('input[name=password]', password);
  await page.click('main button');
  // Somebody else set the password: it is changed before anything else.
  await page.waitForURL(base + '/account');
  await page.fill('input[name=old]', password);
  await page.fill('input[name=new]', password + '2');
  await page.fill('input[name=again]', password + '2');
  await page.click('main button');
  await page.waitForURL(base + '/');
  return page;
}

// steady is what look finds in a page that may load itself anew at any moment: never in half a page, and once more when a load fell in.
export async function steady(page, look) {
  for (;;) {
    await page.waitForLoadState();
    try {
      const found = await page.evaluate(`document.readyState === 'complete' ? { is: (${look})() } : null`);
      if (found) return found.is;
    } catch (e) {
      if (!String(e).includes('context was destroyed')) throw e;
    }
  }
}

// forged is the status that a form gets which another site's page sends with a person's browser.
export async function forged(page, action, fields) {
  const evil = await page.context().newPage();
  const inputs = Object.entries(fields).map(([k, v]) => `<input name="${k}" value="${v}">`).join('');
  await evil.route('https://evil.example/**', r => r.fulfill({ contentType: 'text/html', body:
    `<form id=f method=post action="${action}">${inputs}</form><script>f.submit()</script>` }));
  const answered = evil.waitForResponse(r => r.url() === action);
  await evil.goto('https://evil.example/');
  return (await answered).status();
}

// Drives the desk's page. Arguments: address, folder for pictures, name=password of two clerks. Prints one JSON line for each thing seen.
import { createRequire } from 'node:module';
const { chromium } = createRequire(process.env.PLAYWRIGHT_FROM)('playwright-core');
const [base, out, first, second] = process.argv.slice(2);
const say = (what, is) => console.log(JSON.stringify({ what, is }));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });

async function person(word) {
  const [name, password] = word.split('=');
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 1000 }, locale: 'zh-CN' });
  const page = await context.newPage();
  page.on('dialog', d => { say('dialog', d.message()); d.dismiss(); });
  page.on('pageerror', e => say('script error', String(e)));
  await page.goto(base + '/login');
  await page.fill('input[name=name]', name);
  await page.fill('input[name=password]', password);
  await page.click('main button');
  await page.waitForURL(base + '/account');
  await page.fill('input[name=old]', password);
  await page.fill('input[name=new]', password + '2');
  await page.fill('input[name=again]', password + '2');
  await page.click('main button');
  await page.waitForURL(base + '/');
  return page;
}

const blanks = page => page.$$eval('#blanks tbody tr[id]', all => all.map(r => [...r.cells].slice(0, 2).map(c => c.textContent)));

try {
  const a = await person(first), b = await person(second);
  await a.goto(base + '/desk');
  say('doubts', await blanks(a));
  say('choices', await a.$$eval('#blanks select option', all => all.map(o => o.value).filter(v => v)));
  say('markup', await a.evaluate(() => [document.querySelectorAll('script').length, document.querySelectorAll('img[src=x]').length, window.stolen === undefined]));
  await a.screenshot({ path: out + '/desk.png', fullPage: true });

  // Nothing is proposed without a choice and a reason: the browser itself does not send the form.
  await a.click('#blanks .propose button');
  say('unsent', await a.$eval('#blanks .propose select', e => e.validity.valueMissing));
  await a.selectOption('#blanks .propose select', 'spoiled end');
  await a.fill('#blanks .propose input[name=why]', '卡道中取出，已撕裂<script>window.stolen=1</script>');
  await a.click('#blanks .propose button');
  await a.waitForSelector('#blanks .open');

  // Whoever proposed can only take it back; the other confirms.
  say('proposer', await a.$$eval('#blanks button', all => all.map(x => x.className)));
  await b.goto(base + '/desk');
  say('second', await b.$$eval('#blanks button', all => all.map(x => x.className)));
  say('told', await b.innerText('#blanks .open'));
  await b.screenshot({ path: out + '/desk-confirm.png', fullPage: true });

  // Another site's page that confirms on the second's behalf.
  const evil = await b.context().newPage();
  const action = await b.$eval('#blanks .confirm', e => e.form.action);
  await evil.route('https://evil.example/**', r => r.fulfill({ contentType: 'text/html', body:
    `<form id=f method=post action="${action}"><input name=act value=confirm></form><script>f.submit()</script>` }));
  const answered = evil.waitForResponse(r => r.url().includes('/desk/'));
  await evil.goto('https://evil.example/');
  say('another site', (await answered).status());

  await b.click('#blanks .confirm');
  await b.waitForURL(base + '/desk');
  say('sent', await b.innerText('#blanks'));
  // The terminal's ledger moves, and its record comes.
  for (let n = 0; n < 200; n++) {
    await b.goto(base + '/desk');
    if ((await blanks(b)).length === 0) break;
    await b.waitForTimeout(100);
  }
  say('left', await blanks(b));
  say('decided', await b.innerText('#decided'));
  await b.screenshot({ path: out + '/desk-decided.png', fullPage: true });
} finally {
  await browser.close();
}

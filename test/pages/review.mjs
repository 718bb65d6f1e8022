// Drives the reviewer's page. Arguments: address, folder for pictures, name=password of two clerks. Prints one JSON line for each thing seen.
import { createRequire } from 'node:module';
const { chromium } = createRequire(process.env.PLAYWRIGHT_FROM)('playwright-core');
const [base, out, first, second] = process.argv.slice(2);
const say = (what, is) => console.log(JSON.stringify({ what, is }));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });

// A person with a browser of its own. Any script of a foreigner that runs, any dialogue and any refused load is told.
async function person(word) {
  const [name, password] = word.split('=');
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 1000 }, locale: 'zh-CN' });
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

const numbers = async page => {
  await page.goto(base + '/cards');
  return page.$$eval('#waiting tbody a', all => all.map(a => a.textContent));
};
const open = async (page, number) => {
  await page.goto(base + '/cards');
  await page.click(`#waiting a:text-is("${number}")`);
  await page.waitForSelector('#card');
};

try {
  const a = await person(first), b = await person(second);
  const waiting = await numbers(a);
  say('waiting', waiting);

  // What a reviewer sees: both pictures really drawn, markup in a name as words.
  await open(a, waiting[0]);
  say('pictures', await a.$$eval('#card img', all => all.map(i => [i.alt, i.complete, i.naturalWidth, i.naturalHeight])));
  say('markup', await a.evaluate(() => [document.querySelectorAll('script').length, document.querySelectorAll('img[src=x]').length,
    document.body.innerText.includes('<script>alert(1)</script>'), window.stolen === undefined]));
  await a.screenshot({ path: out + '/review.png', fullPage: true });

  // Two look at the same; one is first, the other is told who.
  await open(b, waiting[0]);
  await a.click('#approve');
  await a.waitForURL(base + '/cards');
  await b.click('#approve');
  await b.waitForSelector('.bad');
  say('second', await b.innerText('main'));
  await b.screenshot({ path: out + '/second.png' });

  // Nothing is rejected without a reason: the browser itself does not send the form.
  await open(b, waiting[1]);
  await b.click('#reject');
  say('unsent', [b.url().includes('/cards/'), await b.$eval('#why', e => e.validity.valueMissing)]);
  await b.fill('#why', '照片中闭眼，请重拍');
  await b.click('#reject');
  await b.waitForURL(base + '/cards');
  say('left', await numbers(b));

  // Another site's page that posts the form on a reviewer's behalf.
  const evil = await a.context().newPage();
  await evil.route('https://evil.example/**', r => r.fulfill({ contentType: 'text/html', body:
    `<form id=f method=post action="${base}/cards/${process.env.KEY}/decide"><input name=act value=approve><input name=rev value=1></form><script>f.submit()</script>` }));
  const answered = evil.waitForResponse(r => r.url().endsWith('/decide'));
  await evil.goto('https://evil.example/');
  say('another site', (await answered).status());
  say('still left', await numbers(b));
} finally {
  await browser.close();
}

// Drives the reviewer's page: two clerks, three applications.
import { base, out, people, say, browser, person, forged } from './rig.mjs';

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
  const a = await person(people[0]), b = await person(people[1]);
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
  say('another site', await forged(a, `${base}/cards/${process.env.KEY}/decide`, { act: 'approve', rev: 1 }));
  say('still left', await numbers(b));
} finally {
  await browser.close();
}

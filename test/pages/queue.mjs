// Drives a window's page of the hall's queue, and another clerk's at the next window.
import { base, out, people, say, browser, person, steady, forged } from './rig.mjs';

const here = page => page.innerText('#here');
const rows = page => steady(page, () => [...document.querySelectorAll('#waiting tbody tr')].map(r => r.cells[0].textContent));
const press = async (page, act) => { await page.click(`#window button[value=${act}]`); await page.waitForLoadState(); };
const fits = page => steady(page, () => [document.documentElement, ...document.querySelectorAll('section, nav, header')]
  .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.tagName + ' ' + e.scrollWidth + ' > ' + e.clientWidth));

try {
  const a = await person(people[0]), b = await person(people[1]);
  for (const [page, window] of [[a, 's/3'], [b, 's/4']]) {
    await page.click('nav a[href="/queue"]');
    await page.selectOption('select[name=at]', window);
    await page.click('main form button');
    await page.waitForSelector('#window');
  }
  say('nobody', await here(a));
  await press(a, 'next');
  await press(b, 'next');
  say('first', [await here(a), await here(b)]);
  await a.screenshot({ path: out + '/queue.png', fullPage: true });
  say('waiting', await rows(a));

  // A page that was pressed before another tab of the same window went on.
  const old = await a.context().newPage();
  await old.goto(a.url());
  await press(a, 'again');
  await press(old, 'next');
  say('stale', await old.innerText('main'));
  await old.close();

  say('another site', await forged(b, base + '/queue', { at: 's/4', act: 'next', number: await here(b), calls: '1' }));

  await press(a, 'absent');
  await press(a, 'back');
  await press(a, 'next');
  say('came after all', await here(a));
  await press(a, 'done');
  say('done', await here(a));
  // It loads itself anew: what another window does is seen.
  await press(b, 'next');
  const called = await here(b);
  for (let n = 0; n < 250 && (await rows(a)).includes(called); n++) await a.waitForTimeout(100);
  say('anew', a.url().includes('auto='));
  say('figures', await steady(a, () => [...document.querySelectorAll('#today tbody tr:first-child td')].slice(1, 5).map(c => c.textContent)));
  await b.screenshot({ path: out + '/queue-next.png', fullPage: true });
  say('too wide', [...await fits(a), ...await fits(b)]);
} finally {
  await browser.close();
}

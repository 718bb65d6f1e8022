// Drives the desk's page: two clerks, one blank.
import { base, out, people, say, browser, person, forged } from './rig.mjs';

const blanks = page => page.$$eval('#blanks tbody tr[id]', all => all.map(r => [...r.cells].slice(0, 2).map(c => c.textContent)));

try {
  const a = await person(people[0]), b = await person(people[1]);
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
  say('another site', await forged(b, await b.$eval('#blanks .confirm', e => e.form.action), { act: 'confirm' }));

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

// Filters the judgements. Without scripts all of them are there, one after the other.
(() => {
  const list = [...document.querySelectorAll('.judgement')];
  const form = document.querySelector('.filters');
  if (!form || !list.length) return;
  form.hidden = false;
  const [kind, source, text, count, more] = ['kind', 'source', 'text', 'count', 'more'].map(id => document.getElementById(id));
  const texts = list.map(item => item.textContent.toLowerCase());
  let most = 50;
  const show = () => {
    const words = text.value.toLowerCase();
    let found = 0;
    list.forEach((item, i) => {
      const fits = (!kind.value || item.dataset.kind.split(' ').includes(kind.value)) && (!source.value || item.dataset.source === source.value) && texts[i].includes(words);
      item.hidden = !fits || ++found > most;
    });
    count.textContent = found + ' of ' + list.length + ' judgements' + (found > most ? ', the first ' + most + ' shown' : '');
    more.hidden = found <= most;
  };
  for (const field of [kind, source, text]) field.addEventListener('input', () => { most = 50; show(); });
  more.addEventListener('click', () => { most += 100; show(); });
  show();
})();

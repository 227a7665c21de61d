"""Words by what they name and by what they do in a sentence: data, in files by class, without rules."""

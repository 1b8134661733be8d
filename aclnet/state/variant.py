"""The one switch between the paper's equations and the authors' released code.

Where the two disagree the objective follows `variant`; every difference is listed here and again
at the line where it matters. The equations are those of Liu et al., "Affinity contrastive learning
for skeleton-based human activity understanding" (ACLNet).

========================  =======================================  ==============================
subject                   paper                                    released
========================  =======================================  ==============================
Eq. 3-4, what is counted  a sample of class i taken for class j    the same, and the reverse entry
                                                                   grows by the batch's size of j
Eq. 3-4, neighbours       other classes that were confused         the K largest counts, zeros and
                                                                   the class itself included
Eq. 6, motion family      weight above n_a / K, without the class  neighbours, and classes that
                          itself                                   share more than n_a of them
Eq. 7, class centres      mean of unit features of all the         mean of raw features of the
                          batch's samples of the class; a          samples classified rightly; its
                          constant in the loss; the first mean     gradient flows; starts random
                          starts the centre
Eq. 8, similarity         inner product with the centre            cosine
Eq. 8, family members     only classes that were seen              all, the class itself twice
                                                                   if it is in its own family
Eq. 15, positives         summed                                   averaged
Eq. 15, margin            exp((s - margin) / t)                    exp(-margin) exp(s / t), and
                                                                   1e-6 in the denominator
Eq. 15, when it begins    at once, with what the queue holds       once the queue is full
========================  =======================================  ==============================

The queue itself is in the released code only; the paper takes positives and negatives from the
batch (`queue_size=0`). Both variants accept any size.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Variant: TypeAlias = Literal["paper", "released"]
"""Which reading of the method a loss follows."""

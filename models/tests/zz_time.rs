//! t
#![allow(clippy::unwrap_used, missing_docs)]
use std::time::Instant;
use burn::tensor::{Int, Tensor};
use fluxo_models::{Batch, Cache, Model, Settings, Taps};
#[test]
fn time() {
    let device = fluxo_backends::device("flex").unwrap();
    let set = [("hidden_size","128"),("num_hidden_layers","4"),("num_attention_heads","4"),("num_key_value_heads","4"),("intermediate_size","512"),("max_position_embeddings","4096")];
    let settings = Settings { set: set.iter().map(|(a,b)| (a.to_string(), b.to_string())).collect(), ..Settings::default() };
    let model = Model::new("llama", &settings, 1, &device).unwrap();
    for past in [50usize, 500, 2000] {
        for room in [0usize, 64, 256] {
            let ids = Tensor::<2, Int>::ones([1, past], &device);
            let run = |ids, cache| model.network.forward(Batch { cache, last_only: true, ..Batch::new(ids) }, &mut Taps::off());
            let mut cache: Option<Cache> = run(ids, None).cache;
            let mut times = vec![]; let c0 = cpu();
            for step in 0..192 {
                let ids = Tensor::<2, Int>::ones([1, 1], &device);
                let t = Instant::now();
                if room > 0 && step % room == 0 { cache = cache.map(|c| c.with_room(room)); }
                let out = run(ids, cache);
                let _ = out.logits.unwrap().into_data();
                cache = out.cache;
                times.push(t.elapsed().as_secs_f64() * 1e3);
            }
            let mean = times.iter().sum::<f64>() / 192.0;
            times.sort_by(f64::total_cmp);
            println!("past {past} room {room}: median {:.3} ms mean {:.3} ms cpu {:.3} ms", times[96], mean, (cpu()-c0)/192.0);
        }
    }
}

fn cpu() -> f64 {
    let t = std::fs::read_to_string("/proc/self/stat").unwrap();
    let v: Vec<&str> = t.rsplit(')').next().unwrap().split_whitespace().collect();
    (v[11].parse::<f64>().unwrap() + v[12].parse::<f64>().unwrap()) * 10.0
}
#[test]
fn micro() {
    let device = fluxo_backends::device("flex").unwrap();
    for n in [2064usize, 20640] {
        let mut x = Tensor::<4>::zeros([1,4,n,32], &device);
        let y = Tensor::<4>::ones([1,1,4,32], &device).swap_dims(1,2);
        let t = Instant::now();
        for i in 0..1000 { x = x.slice_assign([0..1,0..4,i..i+1,0..32], y.clone()); }
        println!("past assign {n} {:.2} us", t.elapsed().as_secs_f64()*1e3);
        let z = x.clone();
        let t = Instant::now();
        let mut w = vec![];
        for i in 0..100 { w = vec![x.clone()]; x = x.slice_assign([0..1,0..4,i..i+1,0..32], y.clone()); }
        println!("past assign held {n} {:.2} us", t.elapsed().as_secs_f64()*1e4); drop(z); drop(w);
        let q = Tensor::<4>::ones([1,4,1,32], &device);
        let t = Instant::now();
        for _ in 0..100 { let _ = burn::tensor::module::attention(q.clone(), x.clone(), x.clone(), None, None, Default::default()); }
        println!("past attend {n} {:.2} us", t.elapsed().as_secs_f64()*1e4);
        let m = Tensor::<4>::zeros([1,1,1,n], &device).bool().expand([1,4,1,n]);
        let t = Instant::now();
        for _ in 0..100 { let _ = burn::tensor::module::attention(q.clone(), x.clone(), x.clone(), Some(m.clone()), None, Default::default()); }
        println!("past attend masked {n} {:.2} us", t.elapsed().as_secs_f64()*1e4);
    }
}
